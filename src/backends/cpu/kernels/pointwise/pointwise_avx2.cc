// Elementwise functions, reductions and transposition in AVX2.
// clang-format off: the order matters
#include "backends/cpu/kernels/simd/vec_avx2.inc"
#include "backends/cpu/kernels/simd/functions.inc"
#include "backends/cpu/kernels/simd/transpose.inc"
#include "backends/cpu/kernels/pointwise/pointwise.inc"
// clang-format on

namespace ingot {
const PointwiseKernels& pointwise_avx2() { return simd_avx2::kPointwise; }
}  // namespace ingot
