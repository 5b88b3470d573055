// What a Loop, Scan or SequenceMap keeps while the executor runs its body again and again: the values that are
// carried from one iteration to the next, and the results that are stacked or become a sequence.
//
// begin(), then next() and take() in turn until next() says no, then output(). A body's outputs lie in memory that its
// next iteration overwrites, so take() copies them: carried values go back and forth between two buffers.
// Limits: base/limits.h, RunControl. Thread-safety: one thread.
#pragma once

#include <functional>
#include <vector>

#include "ir/graph.h"
#include "runtime/run_options.h"

namespace ingot {

class Iterations {
 public:
  // Of a node of `Op::kLoop`, `kScan` or `kSequenceMap`; both must outlive this.
  Iterations(const Node& node, const Graph& body);

  // The node's operands, which must stay until output() was read. Errors: operands that do not fit together.
  Result<void> begin(std::span<const TensorView> operands);
  // What the body's inputs are in the next iteration; false if there is none. Errors: RunControl's.
  Result<bool> next(RunControl& control, std::vector<TensorView>& inputs);
  // The body's outputs. Errors: kInvalidArgument (slices of several shapes), kResourceExhausted.
  Result<void> take(const std::function<TensorView(size_t)>& output);
  // Output i of the node; valid until the next begin().
  TensorView output(size_t i) const;

 private:
  // Memory that is kept for the next value, if that is not larger.
  struct Buffer {
    Tensor tensor;
    size_t bytes = 0;
    Result<TensorView> assign(const TensorView& value);
  };
  // The slices of one scanned output, in the order of iterations or backward.
  struct Scanned {
    Tensor tensor;
    int64_t capacity = 0;  // in slices
    std::optional<Shape> slice;
    bool backward = false;
  };

  Result<void> begin_loop();
  Result<void> begin_slices();
  TensorView slice(const TensorView& operand) const;
  Result<void> append(Scanned& s, const TensorView& value, size_t output);
  Result<void> reserve(Scanned& s, DType dtype, int64_t count) const;
  size_t first_carried() const { return node_.op == Op::kLoop ? 2 : 0; }

  const Node& node_;
  const Graph& body_;
  size_t num_carried_, num_sliced_;
  std::vector<TensorView> operands_, carried_;
  std::vector<Buffer> now_, then_;
  std::vector<Scanned> scanned_;
  int64_t iteration_ = 0, count_ = 0;  // count_: of all iterations; -1 until the condition ends them
  int64_t index_ = 0;                  // what the body reads of it
  uint8_t condition_ = 1;
};

}  // namespace ingot
