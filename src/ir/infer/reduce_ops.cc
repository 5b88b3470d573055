// Inference of reductions along axes.
#include <algorithm>

#include "ir/infer.h"

namespace ingot {

Result<void> infer_reduce(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_index_list(c, 1));
  if (!c.ranked(0)) return c.set_unranked(0, dtype), Result<void>{};
  const bool keep = c.attributes().get_int("keepdims", 1) != 0;
  const bool noop = c.attributes().get_int("noop_with_empty_axes", 0) != 0;
  std::vector<char> reduced(static_cast<size_t>(c.rank(0)), 0);
  if (c.has_input(1)) {
    const auto axes = c.elements(1);
    if (!axes || !std::all_of(axes->begin(), axes->end(), [](const Dim& d) { return d.is_const(); })) {
      if (keep && c.rank(0) > 0)
        c.set(0, dtype, Dims(static_cast<size_t>(c.rank(0)), Dim::unknown()));
      else
        c.set_unranked(0, dtype);
      return {};
    }
    for (const Dim& d : *axes) {
      auto axis = normalize_axis(d.value(), c.rank(0));
      if (!axis) return c.fail("{}", axis.error().message());
      reduced[static_cast<size_t>(*axis)] = 1;
    }
    if (axes->empty() && !noop) reduced.assign(reduced.size(), 1);
  } else if (!noop) {
    reduced.assign(reduced.size(), 1);
  }
  Dims out;
  for (size_t i = 0; i < reduced.size(); ++i)
    if (!reduced[i])
      out.push_back(c.dims(0)[i]);
    else if (keep)
      out.push_back(1);
  c.set(0, dtype, std::move(out));
  // A product or sum of all known elements: Size computed the long way round.
  const auto e = c.elements(0);
  if (!e || e->empty() || c.rank(0) != 1 || !reduced[0]) return {};
  Dim acc = (*e)[0];
  for (size_t i = 1; i < e->size(); ++i) {
    switch (c.node().op) {
      case Op::kReduceProd: acc = acc * (*e)[i]; break;
      case Op::kReduceSum: acc = acc + (*e)[i]; break;
      case Op::kReduceMax: acc = max(acc, (*e)[i]); break;
      case Op::kReduceMin: acc = min(acc, (*e)[i]); break;
      default: return {};
    }
  }
  switch (c.node().op) {
    case Op::kReduceProd:
    case Op::kReduceSum:
    case Op::kReduceMax:
    case Op::kReduceMin: c.set_elements(0, {acc}); break;
    default: break;
  }
  return {};
}

Result<void> infer_arg_reduce(InferContext& c) {
  if (!c.ranked(0)) return c.set_unranked(0, DType::kI64), Result<void>{};
  auto axis = normalize_axis(c.attributes().get_int("axis", 0), c.rank(0));
  if (!axis) return c.fail("{}", axis.error().message());
  Dims out = c.dims(0);
  if (out[static_cast<size_t>(*axis)].is_const(0))
    return c.fail("axis {} of {} is empty", *axis, c.type(0).to_string());
  if (c.attributes().get_int("keepdims", 1))
    out[static_cast<size_t>(*axis)] = 1;
  else
    out.erase(out.begin() + *axis);
  c.set(0, DType::kI64, std::move(out));
  return {};
}

}  // namespace ingot
