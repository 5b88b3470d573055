// Inference of matrix products and normalizations.
#include "ir/infer.h"

namespace ingot {

Result<void> infer_matmul(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  if (c.type(1).dtype != dtype) return c.fail("operands are {} and {}", c.type(0).to_string(), c.type(1).to_string());
  if (!c.ranked(0) || !c.ranked(1)) return c.set_unranked(0, dtype), Result<void>{};
  Dims a = c.dims(0), b = c.dims(1);
  if (a.empty() || b.empty()) return c.fail("an operand is a scalar");
  const bool vector_a = a.size() == 1, vector_b = b.size() == 1;
  if (vector_a) a.insert(a.begin(), Dim(1));
  if (vector_b) b.push_back(Dim(1));
  const Dim ka = a.back(), kb = b[b.size() - 2];
  if (ka.is_const() && kb.is_const() && !(ka == kb))
    return c.fail("inner dimensions differ: {} and {}", c.type(0).to_string(), c.type(1).to_string());
  auto batch = broadcast(Dims(a.begin(), a.end() - 2), Dims(b.begin(), b.end() - 2));
  if (!batch) return c.fail("{}", batch.error().message());
  Dims out = std::move(*batch);
  if (!vector_a) out.push_back(a[a.size() - 2]);
  if (!vector_b) out.push_back(b.back());
  c.set(0, dtype, std::move(out));
  return {};
}

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
