// Walks an Automaton: sets of stacks, made when first reached and remembered, so that a byte is a table look-up.
//
// A stack is the current state and the states to come back to; stacks share their lower parts. A set holds all stacks
// that the text so far allows. Thread-safety: none; TokenGrammar locks.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "text/grammar/automaton.h"

namespace ingot::grammar {

class Pushdown {
 public:
  static constexpr int32_t kDead = -1;

  explicit Pushdown(std::shared_ptr<const Automaton> automaton);

  int32_t start() const { return start_; }
  // The set after one more byte, or kDead. Past the limits (sets, stack depth) what is new is dead.
  int32_t step(int32_t set, uint8_t byte) {
    const int32_t next = sets_[static_cast<size_t>(set)]->next[byte];
    return next == kUnknown ? find_next(set, byte) : next;
  }
  // The text may end here.
  bool accepts(int32_t set) const { return sets_[static_cast<size_t>(set)]->accepts; }
  size_t num_sets() const { return sets_.size(); }

 private:
  static constexpr int32_t kUnknown = -2, kBottom = -1;
  struct Frame {
    int32_t below, state;  // below: a frame, or kBottom
    int32_t depth;
  };
  struct Set {
    std::vector<int32_t> stacks;  // top frames that can take a byte; sorted
    bool accepts = false;
    std::array<int32_t, 256> next;
  };

  int32_t frame(int32_t below, int32_t state);
  int32_t intern(std::vector<int32_t> tops);
  void close(std::vector<int32_t> todo, Set& set);
  int32_t find_next(int32_t set, uint8_t byte);

  std::shared_ptr<const Automaton> automaton_;
  std::vector<Frame> frames_;
  std::unordered_map<uint64_t, int32_t> frame_of_;  // (below, state) -> frame
  std::vector<std::unique_ptr<Set>> sets_;
  std::map<std::pair<std::vector<int32_t>, bool>, int32_t> set_of_;
  std::vector<int32_t> seen_;  // by frame: the closure that saw it
  int32_t closure_ = 0;
  int32_t start_;
};

}  // namespace ingot::grammar
