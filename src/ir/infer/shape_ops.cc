// Inference of the ops that move or view elements: Reshape, Gather, Split.
#include "ir/infer.h"

namespace ingot {

Result<void> infer_reshape(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_index_list(c, 1));
  const auto wanted = c.elements(1);
  if (!wanted) {
    // Only the rank may be known: the length of the shape operand.
    if (c.ranked(1) && c.rank(1) == 1 && c.dims(1)[0].is_const() && c.dims(1)[0].value() <= limits::kRankMax)
      c.set(0, dtype, Dims(static_cast<size_t>(c.dims(1)[0].value()), Dim::unknown()));
    else
      c.set_unranked(0, dtype);
    return {};
  }
  if (wanted->size() > limits::kRankMax)
    return c.fail("rank {} is over the limit {}", wanted->size(), limits::kRankMax);
  const bool allow_zero = c.attributes().get_int("allowzero") != 0;
  Dims out;
  int inferred = -1;
  Dim known(1);
  for (size_t i = 0; i < wanted->size(); ++i) {
    Dim d = (*wanted)[i];
    if (d.is_const(0) && !allow_zero) {
      if (!c.ranked(0))
        d = Dim::unknown();
      else if (static_cast<int>(i) >= c.rank(0))
        return c.fail("shape element {} is 0 but the input has rank {}", i, c.rank(0));
      else
        d = c.dims(0)[i];
    }
    if (d.is_const(-1)) {
      if (inferred >= 0) return c.fail("shape has more than one -1");
      inferred = static_cast<int>(i);
      d = Dim(1);
    } else if (d.is_const() && d.value() < 0) {
      return c.fail("shape element {} is {}", i, d.value());
    }
    known = known * d;
    out.push_back(d);
  }
  if (c.ranked(0)) {
    Dim total(1);
    for (const Dim& d : c.dims(0)) total = total * d;
    if (inferred >= 0) {
      if (total.is_const() && known.is_const() && (known.value() == 0 || total.value() % known.value() != 0))
        return c.fail("{} elements do not divide into {}", total.value(), Type::of(dtype, out).to_string());
      out[static_cast<size_t>(inferred)] = floor_div(total, known);
    } else if (total.is_const() && known.is_const() && total.value() != known.value()) {
      return c.fail("{} has {} elements, {} wants {}", c.type(0).to_string(), total.value(),
                    Type::of(dtype, out).to_string(), known.value());
    }
  } else if (inferred >= 0) {
    out[static_cast<size_t>(inferred)] = Dim::unknown();
  }
  const bool short_list = out.size() <= 1;
  c.set(0, dtype, std::move(out));
  if (auto e = c.elements(0); e && short_list) c.set_elements(0, *e);
  return {};
}

Result<void> infer_gather(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_index(c, 1));
  if (!c.ranked(0) || !c.ranked(1)) return c.set_unranked(0, dtype), Result<void>{};
  auto axis = normalize_axis(c.attributes().get_int("axis"), c.rank(0));
  if (!axis) return c.fail("{}", axis.error().message());
  Dims out(c.dims(0).begin(), c.dims(0).begin() + *axis);
  out.insert(out.end(), c.dims(1).begin(), c.dims(1).end());
  out.insert(out.end(), c.dims(0).begin() + *axis + 1, c.dims(0).end());
  if (out.size() > limits::kRankMax) return c.fail("result rank {} is over the limit {}", out.size(), limits::kRankMax);
  c.set(0, dtype, std::move(out));
  const auto data = c.elements(0), indices = c.elements(1);
  if (!data || !indices || c.rank(0) != 1) return {};
  Dims picked;
  for (const Dim& d : *indices) {
    if (!d.is_const()) return {};
    const int64_t n = static_cast<int64_t>(data->size());
    const int64_t i = d.value() < 0 ? d.value() + n : d.value();
    if (i < 0 || i >= n) return c.fail("index {} is out of range for {} elements", d.value(), n);
    picked.push_back((*data)[static_cast<size_t>(i)]);
  }
  c.set_elements(0, std::move(picked));
  return {};
}

Result<void> infer_split(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  const int parts = c.num_outputs();
  INGOT_TRY(require_index_list(c, 1));
  if (!c.ranked(0)) {
    for (int i = 0; i < parts; ++i) c.set_unranked(i, dtype);
    return {};
  }
  auto axis = normalize_axis(c.attributes().get_int("axis"), c.rank(0));
  if (!axis) return c.fail("{}", axis.error().message());
  const size_t a = static_cast<size_t>(*axis);
  const auto sizes = c.elements(1);
  if (sizes && static_cast<int>(sizes->size()) != parts)
    return c.fail("{} split sizes for {} outputs", sizes->size(), parts);
  const Dim chunk = ceil_div(c.dims(0)[a], parts);
  Dim left = c.dims(0)[a];
  for (int i = 0; i < parts; ++i) {
    Dims out = c.dims(0);
    if (sizes)
      out[a] = (*sizes)[static_cast<size_t>(i)];
    else if (c.has_input(1))
      out[a] = Dim::unknown();
    else
      out[a] = i + 1 < parts ? chunk : left;
    if (out[a].is_const() && out[a].value() < 0) return c.fail("split size {} is negative", out[a].value());
    left = left - out[a];
    c.set(i, dtype, std::move(out));
  }
  if (sizes && left.is_const() && left.value() != 0)
    return c.fail("split sizes add up to {} less than dimension {} of {}", left.value(), a, c.type(0).to_string());
  return {};
}

}  // namespace ingot
