// One token sequence as the scheduler sees it: what is to be computed, where it is, who waits for it.
//
// Ownership: the caller's, who keeps it alive until Scheduler::remove(). Thread-safety: the engine's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "llm/kv_pages.h"

namespace ingot::llm {

using EngineClock = std::chrono::steady_clock;

struct Sequence {
  // The caller's, set before Scheduler::add().
  uint64_t id = 0;                       // unique, ascending with arrival: the order among equals
  std::vector<int32_t> tokens;           // prompt, then what was generated; not empty
  PageKey root;                          // salt of its pages' keys
  bool take_cached = true;               // may start from pages that others computed
  int64_t chunk_tokens_max = INT64_MAX;  // of one step, together with what others that have such a limit get in it
  int32_t priority = 0;                  // lower runs first
  std::string tenant;
  std::optional<EngineClock::time_point> deadline;

  // The scheduler's; to be read only.
  enum class State : uint8_t { kNew, kWaiting, kRunning, kEnded };
  State state = State::kNew;
  int64_t computed = 0;  // tokens whose keys and values are in `pages`
  int64_t cached = 0;    // of them, found at the last admission
  std::vector<int32_t> pages;
  std::vector<PageKey> keys;  // of the full pages of `tokens`, as far as they were needed
  size_t published = 0;       // pages that can be found under their keys
  int32_t admissions = 0, preemptions = 0;

  int64_t length() const { return static_cast<int64_t>(tokens.size()); }
  int64_t remaining() const { return length() - computed; }
  // Which of two runs first, among what runs.
  bool before(const Sequence& o) const { return priority != o.priority ? priority < o.priority : id < o.id; }
};

}  // namespace ingot::llm
