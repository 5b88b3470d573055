// Runs of a session: which values go in, where results go, what holds for one run.
//
// Feeds ingot_session_run() and the bindings. Ownership: a run keeps the values it uses. Thread-safety:
// RunOptionsObject locks what several runs share; a Run belongs to one thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "capi/objects.h"
#include "capi/session.h"

namespace ingot::capi {

struct ProfiledStep {
  std::string node, op, kernel;
  int64_t nanoseconds = 0;
};

struct RunOptionsObject {
  std::atomic<bool> cancelled{false};
  std::atomic<double> timeout_ms{0};
  std::atomic<bool> alone{false}, profile{false};
  std::mutex mutex;  // of what follows
  std::function<bool()> go_on;
  std::vector<ProfiledStep> steps;  // of the last run
};

// One output that is wanted.
struct Target {
  size_t output = 0;                    // of the model
  std::shared_ptr<ValueObject> given;   // null: a new value is made
  ingot_allocator allocator{};          // of the new value; allocate is null: the library's memory
  std::shared_ptr<ValueObject> result;  // after the run
};

// inputs: in the model's order. options: may be null. Errors: as ingot_session_run().
Result<void> run_session(SessionObject& session, RunOptionsObject* options,
                         const std::vector<std::shared_ptr<ValueObject>>& inputs, std::vector<Target>& targets);

}  // namespace ingot::capi
