// Whole tensors as doubles, for reference kernels whose formula is longer than their element types matter.
// Thread-safety: pure functions.
#pragma once

#include <span>
#include <vector>

#include "backends/ref/dispatch.h"

namespace ingot {

// Every element of a tensor of floats, small floats, integers or booleans. Empty for an absent operand.
std::vector<double> reals_of(const TensorView& t);
// Rounds to the output's element type; integers saturate after rounding half to even.
void store_reals(const TensorRef& t, std::span<const double> values);
void store_real(const TensorRef& t, int64_t i, double value);
// The value as an element of a 16-bit float type keeps it; unchanged for other types.
inline double rounded(DType t, double v) {
  if (t == DType::kF16) return half_to_float(float_to_half(static_cast<float>(v)));
  if (t == DType::kBF16) return bf16_to_float(float_to_bf16(static_cast<float>(v)));
  return v;
}

}  // namespace ingot
