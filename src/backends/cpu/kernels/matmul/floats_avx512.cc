// F32, F16, BF16 and decode-then-multiply in AVX-512.
// clang-format off: the order matters
#include "backends/cpu/kernels/matmul/vec_avx512.inc"
#include "backends/cpu/kernels/matmul/loops.inc"
#include "backends/cpu/kernels/matmul/floats.inc"
#include "backends/cpu/kernels/matmul/quantize.inc"
// clang-format on

namespace ingot::mm {
void f32_avx512(const Job& job) { run_float<SourceF32>(job); }
void f16_avx512(const Job& job) { run_float<SourceF16>(job); }
void bf16_avx512(const Job& job) { run_float<SourceBF16>(job); }
FloatKernels float_kernels_avx512() {
  return {run_with_panels<Decoded>, round_to_bf16, quantize_block32, quantize_block256};
}
}  // namespace ingot::mm
