// Convolution and pooling kernels in AVX2.
// clang-format off: the order matters
#include "backends/cpu/kernels/simd/vec_avx2.inc"
#include "backends/cpu/kernels/simd/functions.inc"
#include "backends/cpu/kernels/conv/conv.inc"
#include "backends/cpu/kernels/conv/winograd.inc"
// clang-format on

namespace ingot {
const ConvKernels& conv_kernels_avx2() { return simd_avx2::kConvKernels; }
}  // namespace ingot
