// The K types (blocks of 256) in Arm NEON with int8 dot products.
// clang-format off: the order matters
#include "backends/cpu/kernels/matmul/arm64/vec_neon.inc"
#include "backends/cpu/kernels/matmul/loops.inc"
#include "backends/cpu/kernels/matmul/block256.inc"
// clang-format on

namespace ingot::mm {
void q2_k_dotprod(const Job& job) { run_block256<SourceQ2_K>(job); }
void q3_k_dotprod(const Job& job) { run_block256<SourceQ3_K>(job); }
void q4_k_dotprod(const Job& job) { run_block256<SourceQ4_K>(job); }
void q5_k_dotprod(const Job& job) { run_block256<SourceQ5_K>(job); }
void q6_k_dotprod(const Job& job) { run_block256<SourceQ6_K>(job); }
void codes_iq4_dotprod(const Job& job) { run_block256<SourceCodes<kTableIQ4>>(job); }
void codes_iq2_dotprod(const Job& job) { run_block256<SourceCodes<kTableIQ2>>(job); }
void codes_iq3_xxs_dotprod(const Job& job) { run_block256<SourceCodes<kTableIQ3_XXS>>(job); }
void codes_iq3_s_dotprod(const Job& job) { run_block256<SourceCodes<kTableIQ3_S>>(job); }
void codes_iq1_dotprod(const Job& job) { run_block256<SourceCodes<kTableIQ1>>(job); }
void codes_ternary_dotprod(const Job& job) { run_block256<SourceCodes<kTableTernary>>(job); }
}  // namespace ingot::mm
