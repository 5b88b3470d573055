// The GEMM kernels in Arm NEON.
// clang-format off: the order matters
#include "backends/cpu/kernels/simd/vec_neon.inc"
#include "backends/cpu/kernels/simd/functions.inc"
#include "backends/cpu/kernels/simd/transpose.inc"
#include "backends/cpu/kernels/gemm/tile.inc"
// clang-format on

namespace ingot {
const GemmKernels& gemm_kernels_neon() { return simd_neon::kGemmKernels; }
}  // namespace ingot
