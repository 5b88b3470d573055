// Inference of ingot.group_query_attention; its operands are as ops.def says.
#include "ir/infer/checks.h"

namespace ingot {
namespace {

Result<void> check_rotation(InferContext& c, const Dim& batch, const Dim& length, const Dim& width) {
  if (c.has_input(7) != c.has_input(8)) return c.fail("cos and sin go together");
  INGOT_TRY(require_dims(c, 9, {batch, length}));
  if (!c.has_input(7) || !c.ranked(7)) return {};
  INGOT_TRY(require_rank(c, 7, 2));
  INGOT_TRY(require_dims(c, 8, c.dims(7)));
  const Dim& half = c.dims(7)[1];
  if (half.is_const() && width.is_const() && half.value() > width.value() / 2)
    return c.fail("{} elements of heads of {} are to be rotated", 2 * half.value(), width.value());
  return {};
}

}  // namespace

Result<void> infer_group_query_attention(InferContext& c) {
  const Attributes& a = c.attributes();
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_float(c, 0));
  for (int i : {1, 2, 3, 4, 7, 8, 10, 11}) INGOT_TRY(require_dtype(c, i, dtype));
  for (int i : {5, 6}) INGOT_TRY(require_dtype(c, i, DType::kI32));
  INGOT_TRY(require_elements(c, 6, 1));
  INGOT_TRY(require_dtype(c, 9, DType::kI64));
  for (std::string_view name : {"num_heads", "kv_num_heads"}) INGOT_TRY(require_range(c, name, 1, INT32_MAX, 0));
  INGOT_TRY(require_range(c, "window", 0, INT32_MAX, 0));
  const int64_t heads = a.get_int("num_heads"), groups = a.get_int("kv_num_heads");
  if (heads % groups) return c.fail("{} heads in {} groups", heads, groups);
  if (c.has_input(3) != c.has_input(4)) return c.fail("past key and value go together");
  if (!all_ranked(c, 0, 5)) return set_all_unranked(c, dtype);
  for (int i : {0, 1, 2}) INGOT_TRY(require_rank(c, i, 3));
  const Dims& q = c.dims(0);
  const Dim width = floor_div(q[2], heads);
  INGOT_TRY(require_dims(c, 0, {q[0], q[1], width * heads}));
  for (int i : {1, 2}) INGOT_TRY(require_dims(c, i, {q[0], q[1], width * groups}));
  if (c.has_input(3)) INGOT_TRY(require_rank(c, 3, 4));
  const Dim past = c.has_input(3) ? c.dims(3)[2] : Dim(0);
  for (int i : {3, 4}) INGOT_TRY(require_dims(c, i, {q[0], groups, past, width}));
  // Some exporters write the lengths as [B,1].
  if (c.ranked(5) && c.rank(5) != 1) INGOT_TRY(require_dims(c, 5, {q[0], 1}));
  if (c.ranked(5) && c.rank(5) == 1) INGOT_TRY(require_dims(c, 5, {q[0]}));
  INGOT_TRY(check_rotation(c, q[0], q[1], width));
  INGOT_TRY(require_dims(c, 11, {heads}));
  const auto given = c.elements(6);
  const Dim total = given && given->size() == 1 ? max(past, (*given)[0]) : Dim::unknown();
  if (total.is_const() && q[1].is_const() && total.value() < q[1].value())
    return c.fail("total_sequence_length {} is less than the {} new positions", total.value(), q[1].value());
  INGOT_TRY(require_rank(c, 10, 4));
  if (c.has_input(10) && c.ranked(10))
    INGOT_TRY(require_dims(c, 10,
                           {c.dims(10)[0].is_const(1) ? Dim(1) : q[0], c.dims(10)[1].is_const(1) ? Dim(1) : Dim(heads),
                            q[1], c.dims(10)[3]}));
  c.set(0, dtype, q);
  for (int i = 1; i < c.num_outputs(); ++i) c.set(i, dtype, {q[0], groups, total, width});
  return {};
}

}  // namespace ingot
