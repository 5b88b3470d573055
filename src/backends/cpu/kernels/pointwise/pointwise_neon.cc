// Elementwise functions, reductions and transposition in Arm NEON.
// clang-format off: the order matters
#include "backends/cpu/kernels/simd/vec_neon.inc"
#include "backends/cpu/kernels/simd/functions.inc"
#include "backends/cpu/kernels/simd/transpose.inc"
#include "backends/cpu/kernels/pointwise/pointwise.inc"
// clang-format on

namespace ingot {
const PointwiseKernels& pointwise_neon() { return simd_neon::kPointwise; }
}  // namespace ingot
