// Products and conversions of bytes in AVX2.
// clang-format off: the order matters
#include "backends/cpu/kernels/simd/vec_avx2.inc"
#include "backends/cpu/kernels/bytes/bytes.h"
// clang-format on

namespace ingot::bytes {
namespace {

using INGOT_SIMD::Vec;

INGOT_INLINE Vec::I dot(Vec::I acc, Vec::I a, Vec::I b) {
  return reinterpret_cast<Vec::I>(_mm256_add_epi32(
      reinterpret_cast<__m256i>(acc), _mm256_madd_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b))));
}

}  // namespace
}  // namespace ingot::bytes

#include "backends/cpu/kernels/bytes/bytes.inc"

namespace ingot::bytes {
Kernels kernels_avx2() { return kernels(); }
}  // namespace ingot::bytes
