// Convolution and pooling kernels in portable vectors.
// clang-format off: the order matters
#include "backends/cpu/kernels/simd/vec_baseline.inc"
#include "backends/cpu/kernels/simd/functions.inc"
#include "backends/cpu/kernels/conv/conv.inc"
#include "backends/cpu/kernels/conv/winograd.inc"
// clang-format on

namespace ingot {
const ConvKernels& conv_kernels_baseline() { return simd_baseline::kConvKernels; }
}  // namespace ingot
