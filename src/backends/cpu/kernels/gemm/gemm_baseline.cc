// The GEMM kernels in portable vectors.
// clang-format off: the order matters
#include "backends/cpu/kernels/simd/vec_baseline.inc"
#include "backends/cpu/kernels/simd/functions.inc"
#include "backends/cpu/kernels/simd/transpose.inc"
#include "backends/cpu/kernels/gemm/tile.inc"
// clang-format on

namespace ingot {
const GemmKernels& gemm_kernels_baseline() { return simd_baseline::kGemmKernels; }
}  // namespace ingot
