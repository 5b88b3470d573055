// Products and conversions of bytes in AVX-512.
// clang-format off: the order matters
#include "backends/cpu/kernels/simd/vec_avx512.inc"
#include "backends/cpu/kernels/bytes/bytes.h"
// clang-format on

namespace ingot::bytes {
namespace {

using INGOT_SIMD::Vec;

INGOT_INLINE Vec::I dot(Vec::I acc, Vec::I a, Vec::I b) {
  return reinterpret_cast<Vec::I>(
      _mm512_dpwssd_epi32(reinterpret_cast<__m512i>(acc), reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
}

}  // namespace
}  // namespace ingot::bytes

#include "backends/cpu/kernels/bytes/bytes.inc"

namespace ingot::bytes {
Kernels kernels_avx512() { return kernels(); }
}  // namespace ingot::bytes
