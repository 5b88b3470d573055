// Inference of normalizations.
#include "ir/infer.h"

namespace ingot {

Result<void> infer_same_axis(InferContext& c) {
  if (c.ranked(0))
    if (auto axis = normalize_axis(c.attributes().get_int("axis", -1), c.rank(0)); !axis)
      return c.fail("{}", axis.error().message());
  return infer_same(c);
}

// LayerNormalization and RMSNormalization: scale and bias broadcast to the normalized dimensions.
Result<void> infer_layer_normalization(InferContext& c) {
  c.set(0, c.type(0));
  const DType stash = c.attributes().get_int("stash_type", 1) == 1 ? DType::kF32 : c.type(0).dtype;
  if (!c.ranked(0)) {
    for (int i = 1; i < c.num_outputs(); ++i) c.set_unranked(i, stash);
    return {};
  }
  auto axis = normalize_axis(c.attributes().get_int("axis", -1), c.rank(0));
  if (!axis) return c.fail("{}", axis.error().message());
  for (int i = 1; i < c.num_inputs(); ++i)
    INGOT_TRY(require_broadcasts_to(c, i, Dims(c.dims(0).begin() + *axis, c.dims(0).end())));
  Dims reduced = c.dims(0);
  for (size_t i = static_cast<size_t>(*axis); i < reduced.size(); ++i) reduced[i] = 1;
  for (int i = 1; i < c.num_outputs(); ++i) c.set(i, stash, reduced);
  return {};
}

}  // namespace ingot
