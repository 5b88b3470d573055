// Products and conversions of bytes for any machine.
// clang-format off: the order matters
#include "backends/cpu/kernels/simd/vec_baseline.inc"
#include "backends/cpu/kernels/bytes/bytes.h"
#include "backends/cpu/kernels/bytes/dot.inc"
#include "backends/cpu/kernels/bytes/bytes.inc"
// clang-format on

namespace ingot::bytes {
Kernels kernels_baseline() { return kernels(); }
}  // namespace ingot::bytes
