// The K types (blocks of 256) in Arm NEON.
// clang-format off: the order matters
#include "backends/cpu/kernels/matmul/arm64/vec_neon.inc"
#include "backends/cpu/kernels/matmul/loops.inc"
#include "backends/cpu/kernels/matmul/block256.inc"
// clang-format on

namespace ingot::mm {
void q2_k_neon(const Job& job) { run_block256<SourceQ2_K>(job); }
void q3_k_neon(const Job& job) { run_block256<SourceQ3_K>(job); }
void q4_k_neon(const Job& job) { run_block256<SourceQ4_K>(job); }
void q5_k_neon(const Job& job) { run_block256<SourceQ5_K>(job); }
void q6_k_neon(const Job& job) { run_block256<SourceQ6_K>(job); }
void codes_iq4_neon(const Job& job) { run_block256<SourceCodes<kTableIQ4>>(job); }
void codes_iq2_neon(const Job& job) { run_block256<SourceCodes<kTableIQ2>>(job); }
void codes_iq3_xxs_neon(const Job& job) { run_block256<SourceCodes<kTableIQ3_XXS>>(job); }
void codes_iq3_s_neon(const Job& job) { run_block256<SourceCodes<kTableIQ3_S>>(job); }
void codes_iq1_neon(const Job& job) { run_block256<SourceCodes<kTableIQ1>>(job); }
void codes_ternary_neon(const Job& job) { run_block256<SourceCodes<kTableTernary>>(job); }
}  // namespace ingot::mm
