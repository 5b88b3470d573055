// F32, F16, BF16 and decode-then-multiply in Arm NEON.
// clang-format off: the order matters
#include "backends/cpu/kernels/matmul/arm64/vec_neon.inc"
#include "backends/cpu/kernels/matmul/loops.inc"
#include "backends/cpu/kernels/matmul/floats.inc"
#include "backends/cpu/kernels/matmul/quantize.inc"
// clang-format on

namespace ingot::mm {
void f32_neon(const Job& job) { run_float<SourceF32>(job); }
void f16_neon(const Job& job) { run_float<SourceF16>(job); }
void bf16_neon(const Job& job) { run_float<SourceBF16>(job); }
FloatKernels float_kernels_neon() {
  return {run_with_panels<Decoded>, round_to_bf16, quantize_block32, quantize_block256};
}
}  // namespace ingot::mm
