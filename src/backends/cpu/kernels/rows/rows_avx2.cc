// Norms, rotation, activations and sums in AVX2.
// clang-format off: the order matters
#include "backends/cpu/kernels/vector/vec_avx2.inc"
#include "backends/cpu/kernels/vector/math.inc"
#include "backends/cpu/kernels/rows/rows.h"
#include "backends/cpu/kernels/rows/rows.inc"
// clang-format on

namespace ingot::rows {
Kernels kernels_avx2() {
  return {rms_norm, layer_norm, rope_table, rope, rope_interleaved, activation, gated_activation, softcap, add};
}
}  // namespace ingot::rows
