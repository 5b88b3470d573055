// The K types (blocks of 256) in portable C++.
// clang-format off: the order matters
#include "backends/cpu/kernels/matmul/vec_baseline.inc"
#include "backends/cpu/kernels/matmul/loops.inc"
#include "backends/cpu/kernels/matmul/block256.inc"
// clang-format on

namespace ingot::mm {
void q2_k_baseline(const Job& job) { run_block256<SourceQ2_K>(job); }
void q3_k_baseline(const Job& job) { run_block256<SourceQ3_K>(job); }
void q4_k_baseline(const Job& job) { run_block256<SourceQ4_K>(job); }
void q5_k_baseline(const Job& job) { run_block256<SourceQ5_K>(job); }
void q6_k_baseline(const Job& job) { run_block256<SourceQ6_K>(job); }
}  // namespace ingot::mm
