// What a caller may ask of one run: to end by a time, to end when told, to loop no longer than that.
//
// The executor looks between steps and between a loop's iterations, on one thread; a kernel is never interrupted.
// Thread-safety: `cancelled` may be set by any thread; a RunControl belongs to one run.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>

#include "base/limits.h"
#include "base/status.h"

namespace ingot {

struct RunOptions {
  std::optional<std::chrono::steady_clock::time_point> deadline;
  const std::atomic<bool>* cancelled = nullptr;              // outlives the run
  int64_t loop_iterations_max = limits::kLoopIterationsMax;  // of all Loops, Scans and SequenceMaps together
};

class RunControl {
 public:
  explicit RunControl(const RunOptions& options = {}) : options_(options) {}

  // Errors: kCancelled, kDeadlineExceeded.
  Result<void> check() const {
    if (options_.cancelled && options_.cancelled->load(std::memory_order_relaxed))
      return error(Code::kCancelled, "[run] the run was cancelled");
    if (options_.deadline && std::chrono::steady_clock::now() >= *options_.deadline)
      return error(Code::kDeadlineExceeded, "[run] the run took longer than it was given");
    return {};
  }
  bool may_stop() const { return options_.cancelled || options_.deadline; }
  // Errors: those of check(), kResourceExhausted.
  Result<void> count_iteration() {
    if (++iterations_ > options_.loop_iterations_max)
      return error(Code::kResourceExhausted, "[run] the loops of one run have more than {} iterations",
                   options_.loop_iterations_max);
    return may_stop() ? check() : Result<void>{};
  }

 private:
  RunOptions options_;
  int64_t iterations_ = 0;
};

}  // namespace ingot
