// The K types (blocks of 256) in AVX-512 with VNNI.
// clang-format off: the order matters
#include "backends/cpu/kernels/matmul/vec_avx512.inc"
#include "backends/cpu/kernels/matmul/loops.inc"
#include "backends/cpu/kernels/matmul/block256.inc"
// clang-format on

namespace ingot::mm {
void q2_k_avx512(const Job& job) { run_block256<SourceQ2_K>(job); }
void q3_k_avx512(const Job& job) { run_block256<SourceQ3_K>(job); }
void q4_k_avx512(const Job& job) { run_block256<SourceQ4_K>(job); }
void q5_k_avx512(const Job& job) { run_block256<SourceQ5_K>(job); }
void q6_k_avx512(const Job& job) { run_block256<SourceQ6_K>(job); }
}  // namespace ingot::mm
