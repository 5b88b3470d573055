// Convolution and pooling kernels in AVX-512.
// clang-format off: the order matters
#include "backends/cpu/kernels/simd/vec_avx512.inc"
#include "backends/cpu/kernels/simd/functions.inc"
#include "backends/cpu/kernels/conv/conv.inc"
#include "backends/cpu/kernels/conv/winograd.inc"
// clang-format on

namespace ingot {
const ConvKernels& conv_kernels_avx512() { return simd_avx512::kConvKernels; }
}  // namespace ingot
