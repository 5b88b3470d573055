// Products and conversions of bytes in NEON.
// clang-format off: the order matters
#include "backends/cpu/kernels/simd/vec_neon.inc"
#include "backends/cpu/kernels/bytes/bytes.h"
#include "backends/cpu/kernels/bytes/dot.inc"
#include "backends/cpu/kernels/bytes/bytes.inc"
// clang-format on

namespace ingot::bytes {
Kernels kernels_neon() { return kernels(); }
}  // namespace ingot::bytes
