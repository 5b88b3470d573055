// A session: a compiled plan, the memory it runs in, and its states (KV caches).
//
// run() takes the graph's inputs in order and returns its outputs as views, valid while the returned Outputs
// lives. A session without states may be run from several threads at once: each run leases a context of its own,
// and a few of them keep their memory afterwards.
// With states, the caller runs one at a time. The session does not know what kind of model it runs.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "passes/pipeline.h"
#include "plan/plan.h"
#include "runtime/context.h"

namespace ingot {

struct SessionOptions {
  std::shared_ptr<ThreadPool> pool;              // required
  std::vector<const Backend*> backends;          // best first
  std::map<std::string, int64_t> state_symbols;  // sizes of the symbols in state types: {"pages", 512}
  // For people whose memory the states do not fit into.
  std::string state_advice = "give the symbols of its states smaller sizes";
  std::vector<std::string> disabled_passes;  // names, see passes/pipeline.h
  // While weights are packed: bytes of constants done so far and of all; may be empty.
  std::function<void(size_t bytes, size_t bytes_total)> on_progress;
  std::shared_ptr<PackedStore> store;  // see CompileOptions::store
  bool optimized = false;              // the graph went through the passes already
};

// What create() does to a graph before it compiles it: all passes but those named, constants folded by `folder`.
Result<PassReport> optimize(Graph& graph, const Backend& folder, const std::vector<std::string>& disabled_passes);

struct Profile {
  std::vector<StepTime> steps;
};

class Session {
 public:
  // The results of one run; gives its context back when destroyed.
  class Outputs {
   public:
    Outputs(Session& session, std::unique_ptr<ExecutionContext> context)
        : session_(&session), context_(std::move(context)) {}
    Outputs(Outputs&&) = default;
    Outputs& operator=(Outputs&&) = default;
    ~Outputs() {
      if (context_) session_->give_back(std::move(context_));
    }
    TensorView operator[](size_t i) const { return context_->output(i); }

   private:
    friend class Session;
    Session* session_;
    std::unique_ptr<ExecutionContext> context_;
  };

  // Optimizes the graph (all passes but the disabled ones), compiles it, allocates the states.
  static Result<std::unique_ptr<Session>> create(Graph graph, SessionOptions options);

  const Graph& graph() const { return plan_->graph(); }
  const Plan& plan() const { return *plan_; }
  ThreadPool& pool() const { return *options_.pool; }
  size_t state_bytes() const { return state_bytes_; }
  // The memory of the graph's states, in order; not to be touched during run().
  std::span<const TensorRef> states() const { return states_; }
  // Contexts that keep their memory for the next runs.
  size_t idle_contexts() const;

  // Errors: kInvalidArgument for inputs that do not fit, what a kernel reports about the data, and RunControl's.
  Result<Outputs> run(std::span<const TensorView> inputs, Profile* profile = nullptr, const RunOptions& options = {});
  // The same with the outputs in memory that `place` tells, and nothing of the session's held afterwards.
  // Outputs must not overlap inputs. Errors besides: those of `place`, and RunControl's.
  Result<void> run_into(std::span<const TensorView> inputs, const OutputPlacer& place, Profile* profile = nullptr,
                        const RunOptions& options = {});

 private:
  Session(std::shared_ptr<const Plan> plan, SessionOptions options)
      : plan_(std::move(plan)), options_(std::move(options)) {}
  Result<void> allocate_states();
  Result<void> check_containers(std::span<const TensorView> inputs) const;
  std::unique_ptr<ExecutionContext> lease();
  void give_back(std::unique_ptr<ExecutionContext> context);

  std::shared_ptr<const Plan> plan_;
  SessionOptions options_;
  std::vector<TensorRef> states_;
  std::vector<std::shared_ptr<void>> state_memory_;
  size_t state_bytes_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<ExecutionContext>> idle_;
};

}  // namespace ingot
