// The types with blocks of 32 in Arm NEON.
// clang-format off: the order matters
#include "backends/cpu/kernels/matmul/arm64/vec_neon.inc"
#include "backends/cpu/kernels/matmul/loops.inc"
#include "backends/cpu/kernels/matmul/block32.inc"
// clang-format on

namespace ingot::mm {
void q4_0_neon(const Job& job) { run_block32<SourceQ4_0>(job); }
void q4_1_neon(const Job& job) { run_block32<SourceQ4_1>(job); }
void q5_0_neon(const Job& job) { run_block32<SourceQ5_0>(job); }
void q5_1_neon(const Job& job) { run_block32<SourceQ5_1>(job); }
void q8_0_neon(const Job& job) { run_block32<SourceQ8_0>(job); }
void iq4_nl_neon(const Job& job) { run_block32<SourceTable<false>>(job); }
void mxfp4_neon(const Job& job) { run_block32<SourceTable<true>>(job); }
}  // namespace ingot::mm
