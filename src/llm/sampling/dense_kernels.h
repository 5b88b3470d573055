// The table of vector passes, one per instruction set: between dense_math.cc, which chooses, and
// dense_math_*.cc. Same arguments and results as the functions of dense_math.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ingot::llm {

struct DenseKernels {
  int64_t (*argmax)(std::span<const float>);
  double (*sum_exp)(std::span<const float>, float);
  size_t (*skip_below)(std::span<const float>, size_t, float);
};

extern const DenseKernels kDenseBaseline;
extern const DenseKernels kDenseAvx2;

}  // namespace ingot::llm
