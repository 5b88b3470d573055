// The weights of ingot.moe, whichever of its two forms they have: three stacks, or a matrix an expert.
// Ownership: views of what the caller holds. Thread-safety: plain value.
#pragma once

#include <span>

#include "tensor/tensor.h"

namespace ingot {

enum class ExpertPart { kGate, kUp, kDown };

class ExpertWeights {
 public:
  // operands: those of the op from the third on; their data may be null.
  explicit ExpertWeights(std::span<const TensorView> operands) : operands_(operands) {}

  bool stacked() const { return operands_[0].shape.rank() == 3; }
  int64_t count() const { return stacked() ? operands_[0].shape[0] : static_cast<int64_t>(operands_.size() / 3); }
  // Which operand holds the matrix.
  size_t operand(ExpertPart part, int64_t expert) const {
    return static_cast<size_t>(stacked() ? static_cast<int64_t>(part) : static_cast<int64_t>(part) * count() + expert);
  }
  // [F,D] of gate and up, [D,F] of down.
  TensorView matrix(ExpertPart part, int64_t expert) const {
    TensorView m = operands_[operand(part, expert)];
    if (!stacked()) return m;
    m.shape = {m.shape[1], m.shape[2]};
    if (m.data) m.data = m.as<std::byte>() + static_cast<size_t>(expert) * m.num_bytes();
    return m;
  }

 private:
  std::span<const TensorView> operands_;
};

}  // namespace ingot
