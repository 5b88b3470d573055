// The GEMM kernels in AVX-512.
// clang-format off: the order matters
#include "backends/cpu/kernels/simd/vec_avx512.inc"
#include "backends/cpu/kernels/simd/functions.inc"
#include "backends/cpu/kernels/simd/transpose.inc"
#include "backends/cpu/kernels/gemm/tile.inc"
// clang-format on

namespace ingot {
const GemmKernels& gemm_kernels_avx512() { return simd_avx512::kGemmKernels; }
}  // namespace ingot
