// Inference of views other than Reshape: Flatten, Squeeze, Unsqueeze.
#include <algorithm>
#include <set>

#include "ir/infer.h"

namespace ingot {
namespace {

// The constant axes of operand i as a sorted set in [0, rank). Errors: out of range, twice the same.
Result<std::optional<std::set<int>>> constant_axes(const InferContext& c, int i, int rank) {
  const auto elements = c.elements(i);
  if (!elements) return std::optional<std::set<int>>{};
  std::set<int> axes;
  for (const Dim& d : *elements) {
    if (!d.is_const()) return std::optional<std::set<int>>{};
    auto axis = normalize_axis(d.value(), rank);
    if (!axis) return c.fail("{}", axis.error().message());
    if (!axes.insert(*axis).second) return c.fail("axis {} is given twice", *axis);
  }
  return std::optional(std::move(axes));
}

void keep_elements(InferContext& c, int out_rank) {
  const auto e = c.elements(0);
  if (e && out_rank <= 1) c.set_elements(0, *e);
}

}  // namespace

Result<void> infer_flatten(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  if (!c.ranked(0)) return c.set(0, dtype, {Dim::unknown(), Dim::unknown()}), Result<void>{};
  const int64_t axis = c.attributes().get_int("axis", 1);
  if (axis < -c.rank(0) || axis > c.rank(0))
    return c.fail("axis {} is out of range for {}", axis, c.type(0).to_string());
  const int split = static_cast<int>(axis < 0 ? axis + c.rank(0) : axis);
  Dim outer(1), inner(1);
  for (int i = 0; i < c.rank(0); ++i) {
    Dim& d = i < split ? outer : inner;
    d = d * c.dims(0)[static_cast<size_t>(i)];
  }
  c.set(0, dtype, {outer, inner});
  return {};
}

Result<void> infer_squeeze(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_index_list(c, 1));
  if (!c.ranked(0)) return c.set_unranked(0, dtype), Result<void>{};
  Dims out;
  if (!c.has_input(1)) {
    for (const Dim& d : c.dims(0)) {
      if (!d.is_const()) return c.set_unranked(0, dtype), Result<void>{};
      if (!d.is_const(1)) out.push_back(d);
    }
  } else {
    const auto axes = INGOT_TRY(constant_axes(c, 1, c.rank(0)));
    if (!axes) return c.set_unranked(0, dtype), Result<void>{};
    for (int i = 0; i < c.rank(0); ++i) {
      const Dim& d = c.dims(0)[static_cast<size_t>(i)];
      if (!axes->contains(i))
        out.push_back(d);
      else if (d.is_const() && !d.is_const(1))
        return c.fail("dimension {} of {} is not 1", i, c.type(0).to_string());
    }
  }
  keep_elements(c, static_cast<int>(out.size()));
  c.set(0, dtype, std::move(out));
  return {};
}

Result<void> infer_unsqueeze(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_index_list(c, 1));
  if (!c.ranked(0)) return c.set_unranked(0, dtype), Result<void>{};
  const auto elements = c.elements(1);
  if (!elements) return c.set_unranked(0, dtype), Result<void>{};
  const int rank = c.rank(0) + static_cast<int>(elements->size());
  if (rank > limits::kRankMax) return c.fail("rank {} is over the limit {}", rank, limits::kRankMax);
  const auto axes = INGOT_TRY(constant_axes(c, 1, rank));
  if (!axes) return c.set_unranked(0, dtype), Result<void>{};
  Dims out;
  size_t next = 0;
  for (int i = 0; i < rank; ++i) out.push_back(axes->contains(i) ? Dim(1) : c.dims(0)[next++]);
  keep_elements(c, rank);
  c.set(0, dtype, std::move(out));
  return {};
}

}  // namespace ingot
