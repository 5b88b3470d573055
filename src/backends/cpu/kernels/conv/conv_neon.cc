// Convolution and pooling kernels in Arm NEON.
// clang-format off: the order matters
#include "backends/cpu/kernels/simd/vec_neon.inc"
#include "backends/cpu/kernels/simd/functions.inc"
#include "backends/cpu/kernels/conv/conv.inc"
#include "backends/cpu/kernels/conv/winograd.inc"
// clang-format on

namespace ingot {
const ConvKernels& conv_kernels_neon() { return simd_neon::kConvKernels; }
}  // namespace ingot
