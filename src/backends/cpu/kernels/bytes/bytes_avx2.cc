// Products and conversions of bytes in AVX2.
// clang-format off: the order matters
#include "backends/cpu/kernels/bytes/bytes.h"
#include "backends/cpu/kernels/bytes/bytes.inc"
// clang-format on

namespace ingot::bytes {
Kernels kernels_avx2() { return kernels(); }
}  // namespace ingot::bytes
