// One execution of a plan: its memory, and the walk over the steps by all threads.
//
// A context is bound to input shapes (bindings are cached), holds the arena and the values whose size only the
// data can tell, and runs nested plans (If, Loop, Scan, SequenceMap) with the same threads. Memory is kept from run to
// run: a run with shapes seen before asks for no pages unless data-dependent sizes grow. Steps whose shapes the data
// decides infer them anew in each run, which takes small allocations; other steps take none. Thread-safety: one run at
// a time.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "plan/binding.h"
#include "plan/plan.h"
#include "runtime/iterations.h"
#include "runtime/run_options.h"
#include "tensor/tensor.h"

namespace ingot {

// Nanoseconds a step took in one run.
struct StepTime {
  const Plan* plan;
  size_t step;
  int64_t nanoseconds;
};

// Where output `i` goes: asked before the run if its shape is known then and its memory is its own, otherwise after it,
// for a copy. Memory for its bytes (or for its objects: std::string, Tensor), naturally aligned; null: nowhere.
using OutputPlacer = std::function<Result<void*>(size_t i, DType dtype, const Shape& shape)>;

class ExecutionContext {
 public:
  ExecutionContext(std::shared_ptr<const Plan> plan, ThreadPool& pool);
  ~ExecutionContext();

  // Fixes shapes and addresses for the next run. states: memory of the session, may be empty.
  // place: may be null; all outputs are then in this context's memory.
  Result<void> bind_inputs(std::span<const TensorView> inputs, std::span<const TensorRef> states,
                           const OutputPlacer* place = nullptr);
  // Runs it with all threads of the pool. Errors: what a kernel reported, and RunControl's.
  Result<void> run(std::vector<StepTime>* profile = nullptr, const RunOptions& options = {});
  // After run(): copies the outputs that bind_inputs() did not place. Errors: those of `place`.
  Result<void> copy_outputs(const OutputPlacer& place);
  // Valid until the next bind_inputs().
  TensorView output(size_t i) const { return views_[static_cast<size_t>(plan_->graph().outputs()[i])]; }
  size_t arena_bytes() const { return arena_bytes_; }

 private:
  // Operand views of one bound step, ready for its kernel.
  struct StepState {
    std::vector<TensorView> inputs;
    std::vector<TensorRef> outputs;
    std::byte* scratch = nullptr;
    std::shared_ptr<std::byte> dynamic_scratch;
    size_t dynamic_scratch_bytes = 0;
    std::vector<TensorView> dynamic_outputs;  // what the kernel's sizes are asked for
    bool parallel = false;                    // of a dynamic step, decided by thread 0
    int chosen = -1;                          // control flow: the subgraph to run; -1: none
    std::unique_ptr<Iterations> iterations;   // Loop, Scan, SequenceMap
    std::vector<TensorView> body_inputs;
  };

  Result<bool> place_outputs(const OutputPlacer* place);
  std::byte* block_data(ValueId v) const;
  // The part of run() that every thread walks.
  void walk(int thread, int num_threads, std::vector<StepTime>* profile);
  void run_step(size_t index, int thread, int num_threads);
  void run_kernel(size_t index, const BoundStep& b, int thread, int num_threads, bool parallel);
  bool prepare_dynamic(size_t index);
  // Control flow (control.cc): thread 0 binds a nested plan, all threads walk it.
  void run_control(size_t index, int thread, int num_threads);
  void run_branch(size_t index, int thread, int num_threads);
  void run_iterations(size_t index, int thread, int num_threads);
  bool prepare_branch(size_t index);
  bool prepare_iteration(size_t index, bool first);
  Result<void> finish_iteration(size_t index);
  Result<void> bind_nested(ExecutionContext& nested, std::span<const TensorView> inputs);
  Result<void> size_outputs(size_t index);
  void refresh_inputs(size_t index);
  Result<std::shared_ptr<const Binding>> find_binding(std::span<const Shape> inputs, std::span<const Shape> states);
  void place_values();
  void place_steps();
  Result<std::byte*> dynamic_memory(ValueId v, size_t bytes);
  void record_failure(size_t step, Status status);

  static void hook_barrier(void* owner);
  static void hook_allocate(void* owner, int output, const Shape& shape);
  static void hook_fail(void* owner, Status status);

  std::shared_ptr<const Plan> plan_;
  ThreadPool& pool_;
  std::shared_ptr<const Binding> binding_;
  struct CachedBinding {
    std::vector<Shape> shapes;
    std::shared_ptr<const Binding> binding;
  };
  std::list<CachedBinding> bindings_;  // most recent first

  std::shared_ptr<std::byte> arena_;
  size_t arena_bytes_ = 0;
  std::vector<Shape> input_shapes_, state_shapes_;  // of the run that is bound
  std::vector<TensorRef> views_;                    // by ValueId; constants and inputs are never written through theirs
  std::vector<StepState> steps_;                    // as Binding::steps
  struct Placed {
    ValueId block = kNoValue;  // kNoValue: not placed
    std::byte* data = nullptr;
  };
  std::vector<Placed> placed_, placing_;  // by output; the second is work space
  struct Dynamic {
    std::shared_ptr<void> memory;
    size_t bytes = 0;
    Tensor objects;
  };
  std::vector<Dynamic> dynamic_;                                        // by ValueId
  std::vector<std::vector<std::unique_ptr<ExecutionContext>>> nested_;  // by plan step, by subgraph

  RunControl own_control_;
  RunControl* control_ = &own_control_;  // of the run; a nested context has its owner's

  std::mutex failure_mutex_;
  std::atomic<size_t> failed_step_;  // the first binding step that failed
  Status failure_{Code::kUnknown, ""};
};

}  // namespace ingot
