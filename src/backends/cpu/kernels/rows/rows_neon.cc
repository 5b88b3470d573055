// Norms, rotation, activations and sums in Arm NEON.
// clang-format off: the order matters
#include "backends/cpu/kernels/vector/vec_neon.inc"
#include "backends/cpu/kernels/vector/math.inc"
#include "backends/cpu/kernels/rows/rows.h"
#include "backends/cpu/kernels/rows/rows.inc"
// clang-format on

namespace ingot::rows {
Kernels kernels_neon() {
  return {rms_norm, layer_norm, rope_table, rope, rope_interleaved, activation, gated_activation, softcap, add};
}
}  // namespace ingot::rows
