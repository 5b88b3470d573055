// Inference of Unique, ReverseSequence, Det and Dropout.
#include "ir/infer/checks.h"

namespace ingot {

// x -> values, and i64 lists: first positions, where each element went, counts.
Result<void> infer_unique(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  if (dtype == DType::kC64 || dtype == DType::kC128 || is_quantized(dtype) || dtype_info(dtype).block_elements > 1)
    return c.fail("operand 0 is {}", c.type(0).to_string());
  Dims values{Dim::unknown()};
  Dim searched = Dim::unknown();
  if (!c.attributes().has("axis")) {
    if (const auto shape = c.type(0).concrete()) searched = shape->num_elements();
  } else if (c.ranked(0)) {
    auto axis = normalize_axis(c.attributes().get_int("axis"), c.rank(0));
    if (!axis) return c.fail("{}", axis.error().message());
    values = c.dims(0);
    searched = values[static_cast<size_t>(*axis)];
    values[static_cast<size_t>(*axis)] = Dim::unknown();
  }
  if (c.attributes().has("axis") && !c.ranked(0))
    c.set_unranked(0, dtype);
  else
    c.set(0, dtype, std::move(values));
  for (int i = 1; i < c.num_outputs(); ++i) c.set(i, DType::kI64, {i == 2 ? searched : Dim::unknown()});
  return {};
}

// (x, lengths i64[batch]); batch_axis: i = 1, time_axis: i = 0, each 0 or 1 and not the same.
Result<void> infer_reverse_sequence(InferContext& c) {
  INGOT_TRY(require_dtype(c, 1, DType::kI64));
  INGOT_TRY(require_rank_min(c, 0, 2));
  const int64_t batch = c.attributes().get_int("batch_axis", 1), time = c.attributes().get_int("time_axis", 0);
  if (batch < 0 || batch > 1 || time != 1 - batch) return c.fail("batch_axis {} and time_axis {}", batch, time);
  if (c.ranked(0)) INGOT_TRY(require_dims(c, 1, {c.dims(0)[static_cast<size_t>(batch)]}));
  return infer_same(c);
}

// [*,N,N] -> [*]
Result<void> infer_det(InferContext& c) {
  INGOT_TRY(require_float(c, 0));
  INGOT_TRY(require_rank_min(c, 0, 2));
  if (!c.ranked(0)) return c.set_unranked(0, c.type(0).dtype), Result<void>{};
  const Dims& x = c.dims(0);
  if (!agree(x[x.size() - 1], x[x.size() - 2])) return c.fail("{} is not of square matrices", c.type(0).to_string());
  c.set(0, c.type(0).dtype, Dims(x.begin(), x.end() - 2));
  return {};
}

// (x, ratio? scalar, training? bool scalar) -> y, mask bool
Result<void> infer_dropout(InferContext& c) {
  INGOT_TRY(require_float(c, 0));
  INGOT_TRY(require_float(c, 1));
  INGOT_TRY(require_dtype(c, 2, DType::kBool));
  for (int i : {1, 2}) INGOT_TRY(require_elements(c, i, 1));
  c.set(0, c.type(0));
  if (c.num_outputs() > 1) c.set(1, Type{DType::kBool, c.type(0).dims});
  return {};
}

}  // namespace ingot
