// What a caller may ask of one run: to end by a time, to end when told, to loop no longer than that.
//
// The executor looks between steps and between a loop's iterations, on one thread; a kernel is never interrupted.
// Thread-safety: `cancelled` may be set by any thread; a RunControl belongs to one run.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>

#include "base/limits.h"
#include "base/status.h"

namespace ingot {

struct RunOptions {
  std::optional<std::chrono::steady_clock::time_point> deadline;
  const std::atomic<bool>* cancelled = nullptr;  // outlives the run
  std::function<bool()> go_on;                   // called every 50 ms at most, by the caller's thread; false: cancelled
  bool alone = false;  // on the calling thread only: runs of several threads then do not wait for the pool
  int64_t loop_iterations_max = limits::kLoopIterationsMax;  // of all Loops, Scans and SequenceMaps together
};

class RunControl {
 public:
  explicit RunControl(const RunOptions& options = {}) : options_(options) {}

  // Errors: kCancelled, kDeadlineExceeded.
  Result<void> check() {
    if (options_.cancelled && options_.cancelled->load(std::memory_order_relaxed)) return cancelled();
    if (!options_.deadline && !options_.go_on) return {};
    const auto now = std::chrono::steady_clock::now();
    if (options_.deadline && now >= *options_.deadline)
      return error(Code::kDeadlineExceeded, "[run] the run took longer than it was given");
    if (!options_.go_on || now - asked_ < std::chrono::milliseconds(50)) return {};
    asked_ = now;
    return options_.go_on() ? Result<void>{} : cancelled();
  }
  bool may_stop() const { return options_.cancelled || options_.deadline || options_.go_on; }

  // Errors: those of check(), kResourceExhausted.
  Result<void> count_iteration() {
    if (++iterations_ > options_.loop_iterations_max)
      return error(Code::kResourceExhausted, "[run] the loops of one run have more than {} iterations",
                   options_.loop_iterations_max);
    return may_stop() ? check() : Result<void>{};
  }

 private:
  static Result<void> cancelled() { return error(Code::kCancelled, "[run] the run was cancelled"); }

  RunOptions options_;
  std::chrono::steady_clock::time_point asked_ = std::chrono::steady_clock::now();  // when go_on was called last
  int64_t iterations_ = 0;
};

}  // namespace ingot
