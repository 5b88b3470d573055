// Elementwise functions, reductions and transposition in portable vectors.
// clang-format off: the order matters
#include "backends/cpu/kernels/simd/vec_baseline.inc"
#include "backends/cpu/kernels/simd/functions.inc"
#include "backends/cpu/kernels/simd/transpose.inc"
#include "backends/cpu/kernels/pointwise/pointwise.inc"
// clang-format on

namespace ingot {
const PointwiseKernels& pointwise_baseline() { return simd_baseline::kPointwise; }
}  // namespace ingot
