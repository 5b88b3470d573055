// Attention in Arm NEON.
// clang-format off: the order matters
#include "backends/cpu/kernels/vector/vec_neon.inc"
#include "backends/cpu/kernels/vector/math.inc"
#include "backends/cpu/kernels/attention/chunk.h"
#include "backends/cpu/kernels/attention/rows.inc"
#include "backends/cpu/kernels/attention/direct.inc"
#include "backends/cpu/kernels/attention/tiled.inc"
#include "backends/cpu/kernels/attention/encode.inc"
// clang-format on

namespace ingot::attention {
Kernels kernels_neon() { return {pack_queries, process_chunk, merge, finish, encode}; }
}  // namespace ingot::attention
