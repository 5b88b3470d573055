// What a backend offers the planner: for a node, a kernel or the reason why not.
//
// A kernel is called by every thread of the pool with the same KernelContext but its own thread number; it
// divides its work statically, so that a result never depends on the number of threads. Validation happens when
// the kernel is selected; run() returns nothing. What only the data can show (an index out of range) is reported
// with fail(). Thread-safety: a Backend is immutable; Kernel::run may run for several sessions at once.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/thread_pool.h"
#include "ir/graph.h"

namespace ingot {

// One run of one node, as one thread sees it.
struct KernelContext {
  const Node& node;
  const void* prepared;                // what Kernel::prepared points to
  std::span<const TensorView> inputs;  // data is null for an absent optional operand
  std::span<TensorRef> outputs;
  std::byte* scratch;  // Kernel::scratch_bytes of it, 64-byte aligned, shared by all threads
  int thread;
  int num_threads;

  const TensorView& in(int i) const { return inputs[static_cast<size_t>(i)]; }
  TensorRef& out(int i) const { return outputs[static_cast<size_t>(i)]; }
  bool has_input(int i) const {
    return static_cast<size_t>(i) < inputs.size() && node.inputs[static_cast<size_t>(i)] != kNoValue;
  }
  bool has_output(int i) const {
    return static_cast<size_t>(i) < outputs.size() && outputs[static_cast<size_t>(i)].data;
  }
  // This thread's share of [0, n).
  Range share(int64_t n, int64_t grain = 1) const { return partition(n, thread, num_threads, grain); }

  // All threads line up. Only in kernels that have `work`, and only when num_threads > 1.
  void barrier() const { hooks.barrier(hooks.owner); }
  // Serial kernels whose output shape depends on data (NonZero): gives output i its shape and memory.
  void allocate_output(int i, const Shape& shape) const { hooks.allocate(hooks.owner, i, shape); }
  // The run ends with this Status after the step; the first one wins.
  void fail(Status status) const { hooks.fail(hooks.owner, std::move(status)); }

  struct Hooks {
    void* owner;
    void (*barrier)(void* owner);
    void (*allocate)(void* owner, int output, const Shape& shape);
    void (*fail)(void* owner, Status status);
  } hooks;
};

using KernelFn = void (*)(KernelContext&);

// Concrete shapes of one binding, for the functions below.
struct BoundShapes {
  const Node& node;
  std::span<const TensorView> inputs;  // data may be null
  std::span<const TensorView> outputs;
  int num_threads;
  const void* prepared;  // the kernel's
};

// Where packed weights come from when a plan is stored in an engine file or made from one (plan/engine_file.h).
class PackedStore {
 public:
  struct Piece {
    std::shared_ptr<void> memory;  // 64-byte aligned
    bool filled = false;           // holds the packed weights already, read-only
  };
  virtual ~PackedStore() = default;
  // The next piece; the calls of two compilations of one graph are the same, in the same order.
  // Errors: kResourceExhausted, kFailedPrecondition (the file holds something else here).
  virtual Result<Piece> take(size_t bytes) = 0;
};

// What a node looks like to a backend before the plan is made.
struct NodeView {
  const Graph& graph;
  const Node& node;
  PackedStore* store = nullptr;  // null: a plan of its own

  const Type& input_type(int i) const { return graph.value(node.inputs[static_cast<size_t>(i)]).type; }
  const Type& output_type(int i) const { return graph.value(node.outputs[static_cast<size_t>(i)]).type; }
  bool has_input(int i) const {
    return static_cast<size_t>(i) < node.inputs.size() && node.inputs[static_cast<size_t>(i)] != kNoValue;
  }
  const Tensor* constant(int i) const {
    return has_input(i) ? graph.constant(node.inputs[static_cast<size_t>(i)]) : nullptr;
  }
  // Memory for packed weights. If it is filled, the operands that would be packed may have no data.
  Result<PackedStore::Piece> packed_memory(size_t bytes) const {
    PackedStore::Piece piece;
    if (store)
      piece = INGOT_TRY(store->take(bytes));
    else
      piece.memory = allocate_packed(bytes);
    if (!piece.memory) return error(Code::kResourceExhausted, "[plan] no memory for {} bytes of packed weights", bytes);
    return piece;
  }
};

// "Unsupported" is a value with a reason (Step::why keeps it).
struct Support {
  bool ok = true;
  std::string reason;

  static Support yes() { return {}; }
  template <class... Args>
  static Support no(fmt::format_string<Args...> format, Args&&... args) {
    return {false, fmt::format(format, std::forward<Args>(args)...)};
  }
};

// A kernel bound to one node.
struct Kernel {
  std::string name;  // "linear_q4_k_avx512"
  KernelFn run = nullptr;
  std::shared_ptr<const void> prepared;  // parsed attributes, packed weights
  // Multiply-adds or bytes of work, roughly, for a binding; below a threshold the step runs on one thread.
  // Null: always serial (the kernel may then allocate_output and must not call barrier()).
  int64_t (*work)(const BoundShapes&) = nullptr;
  size_t (*scratch_bytes)(const BoundShapes&) = nullptr;  // null: none
  // Bit i: output 0 may be written over input i's memory when shapes and element size agree.
  uint32_t inplace_inputs = 0;
  // Bit i: the constant operand i was copied into `prepared`; its own bytes are not read at run time. Bit 31 stands
  // for operand 31 and all after it.
  uint32_t consumed_inputs = 0;
  size_t prepared_bytes = 0;  // memory behind `prepared`, for reports
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;

  // Can this backend run the node? Cheap: prepares nothing.
  virtual Support supports(const NodeView& node) const = 0;
  // Makes the kernel for a node that supports() accepted; packs weights with all threads of `pool`.
  // Errors: kResourceExhausted, kInvalidArgument (attributes that only preparation can judge).
  virtual Result<Kernel> prepare(const NodeView& node, ThreadPool& pool) const = 0;
};

}  // namespace ingot
