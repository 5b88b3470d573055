// Inference of indexed access and selection: GatherElements, GatherND, Scatter…, Compress, Trilu, TopK.
#include <algorithm>

#include "ir/infer.h"

namespace ingot {

Result<void> infer_gather_elements(InferContext& c) {
  INGOT_TRY(require_index(c, 1));
  if (c.ranked(0) && c.ranked(1) && c.rank(0) != c.rank(1))
    return c.fail("data {} and indices {} differ in rank", c.type(0).to_string(), c.type(1).to_string());
  if (c.ranked(0))
    if (auto axis = normalize_axis(c.attributes().get_int("axis"), c.rank(0)); !axis)
      return c.fail("{}", axis.error().message());
  c.set(0, Type{c.type(0).dtype, c.type(1).dims});
  return {};
}

// ScatterElements and ScatterND; kernels check how indices and updates fit the data.
Result<void> infer_scatter(InferContext& c) {
  INGOT_TRY(require_index(c, 1));
  INGOT_TRY(require_dtype(c, 2, c.type(0).dtype));
  if (c.node().op == Op::kScatterElements && c.ranked(0))
    if (auto axis = normalize_axis(c.attributes().get_int("axis"), c.rank(0)); !axis)
      return c.fail("{}", axis.error().message());
  return infer_same(c);
}

Result<void> infer_trilu(InferContext& c) {
  INGOT_TRY(require_index_list(c, 1));
  INGOT_TRY(require_elements(c, 1, 1));
  return infer_same(c);
}

Result<void> infer_gather_nd(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_index(c, 1));
  if (!c.ranked(0) || !c.ranked(1)) return c.set_unranked(0, dtype), Result<void>{};
  const int64_t batch = c.attributes().get_int("batch_dims");
  if (c.rank(0) < 1 || c.rank(1) < 1 || batch < 0 || batch >= c.rank(1) || batch >= c.rank(0))
    return c.fail("data {}, indices {} and batch_dims {} do not fit", c.type(0).to_string(), c.type(1).to_string(),
                  batch);
  const Dim& k = c.dims(1).back();
  if (!k.is_const()) return c.set_unranked(0, dtype), Result<void>{};
  if (k.value() < 1 || k.value() + batch > c.rank(0))
    return c.fail("indices of {} elements into {}", k.value(), c.type(0).to_string());
  Dims out(c.dims(1).begin(), c.dims(1).end() - 1);
  out.insert(out.end(), c.dims(0).begin() + batch + k.value(), c.dims(0).end());
  if (out.size() > limits::kRankMax) return c.fail("result rank {} is over the limit", out.size());
  c.set(0, dtype, std::move(out));
  return {};
}

Result<void> infer_compress(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  if (c.type(1).dtype != DType::kBool) return c.fail("the condition is {}, not bool", c.type(1).to_string());
  if (!c.attributes().has("axis")) return c.set(0, dtype, {Dim::unknown()}), Result<void>{};
  if (!c.ranked(0)) return c.set_unranked(0, dtype), Result<void>{};
  auto axis = normalize_axis(c.attributes().get_int("axis"), c.rank(0));
  if (!axis) return c.fail("{}", axis.error().message());
  Dims out = c.dims(0);
  out[static_cast<size_t>(*axis)] = Dim::unknown();
  c.set(0, dtype, std::move(out));
  return {};
}

Result<void> infer_top_k(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_index_list(c, 1));
  if (!c.ranked(0)) return c.set_unranked(0, dtype), c.set_unranked(1, DType::kI64), Result<void>{};
  auto axis = normalize_axis(c.attributes().get_int("axis", -1), c.rank(0));
  if (!axis) return c.fail("{}", axis.error().message());
  Dims out = c.dims(0);
  Dim& d = out[static_cast<size_t>(*axis)];
  const auto k = c.elements(1);
  if (k && k->size() != 1) return c.fail("k has {} elements", k->size());
  const Dim wanted = k ? (*k)[0] : Dim::unknown();
  if (wanted.is_const() && (wanted.value() < 0 || (d.is_const() && wanted.value() > d.value())))
    return c.fail("k = {} of {}", wanted.value(), c.type(0).to_string());
  d = wanted;
  c.set(0, dtype, out);
  c.set(1, DType::kI64, std::move(out));
  return {};
}

}  // namespace ingot
