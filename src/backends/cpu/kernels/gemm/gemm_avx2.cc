// The GEMM kernels in AVX2.
// clang-format off: the order matters
#include "backends/cpu/kernels/simd/vec_avx2.inc"
#include "backends/cpu/kernels/simd/functions.inc"
#include "backends/cpu/kernels/simd/transpose.inc"
#include "backends/cpu/kernels/gemm/tile.inc"
// clang-format on

namespace ingot {
const GemmKernels& gemm_kernels_avx2() { return simd_avx2::kGemmKernels; }
}  // namespace ingot
