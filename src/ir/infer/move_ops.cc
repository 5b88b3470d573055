// Inference of ops that move elements: Concat, Slice, Transpose, Expand, Tile, Pad, block reordering.
#include <algorithm>

#include "ir/infer.h"

namespace ingot {
namespace {

constexpr int64_t kDimMax = int64_t{1} << 60;
constexpr int64_t kEndMin = int64_t{1} << 31;  // ends at or above this mean "to the end"

Result<void> unranked(InferContext& c) { return c.set_unranked(0, c.type(0).dtype), Result<void>{}; }

// Elements [start, end) by step of a dimension, following ONNX's clamping. A start or end that is a symbol counts
// from the front: a size is not negative.
Dim sliced(const Dim& dim, const Dim& start_in, const Dim& end_in, int64_t step) {
  if (dim.is_const() && start_in.is_const() && end_in.is_const()) {
    const int64_t n = dim.value();
    int64_t start = start_in.value(), end = end_in.value();
    if (n > kDimMax) return Dim::unknown();
    step = std::clamp(step, -kDimMax, kDimMax);
    if (start < 0) start = start < -n ? -1 : start + n;
    if (end < 0) end = end < -n ? -1 : end + n;
    if (step > 0) {
      start = std::clamp<int64_t>(start_in.value() < -n ? 0 : start, 0, n);
      end = std::clamp<int64_t>(end, 0, n);
      return std::max<int64_t>(0, (end - start + step - 1) / step);
    }
    start = std::clamp<int64_t>(start, start_in.value() < -n ? 0 : -1, n - 1);
    end = std::clamp<int64_t>(end, -1, n - 1);
    return std::max<int64_t>(0, (start - end - step - 1) / -step);
  }
  if (dim.is_unknown() || start_in.is_unknown() || end_in.is_unknown()) return Dim::unknown();
  if (step < 0) {
    const bool whole = start_in.is_const(-1) && end_in.is_const() && end_in.value() < -kEndMin;
    return whole ? ceil_div(dim, -step) : Dim::unknown();
  }
  const auto from_end = [](const Dim& d) { return d.is_const() && d.value() < 0; };
  const bool to_end = end_in.is_const() && end_in.value() >= kEndMin - 1;
  if (to_end && from_end(start_in)) return ceil_div(min(dim, Dim(0) - start_in), step);
  const Dim start = from_end(start_in) ? max(0, dim + start_in) : start_in;
  const Dim end = to_end ? dim : from_end(end_in) ? dim + end_in : min(dim, end_in);
  const Dim count = ceil_div(end - start, step);
  return start.is_const(0) && !from_end(end_in) ? count : max(0, count);  // the former is never negative
}

// The slice of known elements along axis 0, if everything is an integer.
void slice_elements(InferContext& c, const Dim& start_in, const Dim& end_in, int64_t step) {
  const auto e = c.elements(0);
  if (!e || c.rank(0) != 1 || !start_in.is_const() || !end_in.is_const()) return;
  const int64_t n = static_cast<int64_t>(e->size());
  int64_t start = start_in.value();
  if (start < 0) start = std::max<int64_t>(start, -n) + n;
  start = step > 0 ? std::min(start, n) : std::min(start, n - 1);
  const int64_t count = sliced(n, start_in, end_in, step).value();
  Dims out;
  for (int64_t i = 0; i < count; ++i) out.push_back((*e)[static_cast<size_t>(start + i * step)]);
  c.set_elements(0, std::move(out));
}

}  // namespace

Result<void> infer_concat(InferContext& c) {
  for (int i = 0; i < c.num_inputs(); ++i)
    if (!c.has_input(i) || c.type(i).dtype != c.type(0).dtype)
      return c.fail("operand {} is {}, operand 0 is {}", i, c.type(i).to_string(), c.type(0).to_string());
  int ranked = -1;
  for (int i = 0; i < c.num_inputs(); ++i) {
    if (!c.ranked(i)) continue;
    if (ranked >= 0 && c.rank(i) != c.rank(ranked))
      return c.fail("operands {} and {} have different ranks", c.type(ranked).to_string(), c.type(i).to_string());
    ranked = i;
  }
  if (ranked < 0) return unranked(c);
  auto axis = normalize_axis(c.attributes().get_int("axis"), c.rank(ranked));
  if (!axis) return c.fail("{}", axis.error().message());
  Dims out(static_cast<size_t>(c.rank(ranked)), Dim::unknown());
  Dim sum(0);
  KnownElements known = Dims{};
  for (int i = 0; i < c.num_inputs(); ++i) {
    const auto e = c.elements(i);
    if (e && known)
      known->insert(known->end(), e->begin(), e->end());
    else
      known.reset();
    sum = sum + (c.ranked(i) ? c.dims(i)[static_cast<size_t>(*axis)] : Dim::unknown());
    if (!c.ranked(i)) continue;
    for (size_t d = 0; d < out.size(); ++d) {
      const Dim& size = c.dims(i)[d];
      if (static_cast<int>(d) == *axis || size.is_unknown()) continue;
      if (out[d].is_const() && size.is_const() && !(out[d] == size))
        return c.fail("operands {} and {} differ outside axis {}", c.type(0).to_string(), c.type(i).to_string(), *axis);
      if (!out[d].is_const()) out[d] = size;
    }
  }
  out[static_cast<size_t>(*axis)] = sum;
  if (known && out.size() == 1) c.set_elements(0, std::move(*known));
  c.set(0, c.type(0).dtype, std::move(out));
  return {};
}

Result<void> infer_slice(InferContext& c) {
  for (int i = 1; i < 5; ++i) INGOT_TRY(require_index_list(c, i));
  if (!c.ranked(0)) return unranked(c);
  if (c.rank(0) < 1) return c.fail("the input is a scalar");
  const size_t rank = static_cast<size_t>(c.rank(0));
  Dims out = c.dims(0);
  const auto starts = c.elements(1), ends = c.elements(2), axes = c.elements(3), steps = c.elements(4);
  const size_t count = starts ? starts->size() : ends ? ends->size() : axes ? axes->size() : rank;
  if (count > rank) return c.fail("{} starts for {}", count, c.type(0).to_string());
  if ((ends && ends->size() != count) || (axes && axes->size() != count) || (steps && steps->size() != count))
    return c.fail("starts, ends, axes and steps have different lengths");
  for (int i = 1; i < 5 && (starts || ends || axes); ++i)
    INGOT_TRY(require_elements(c, i, static_cast<int64_t>(count)));
  uint32_t seen = 0;
  for (size_t i = 0; i < count; ++i) {
    if (c.has_input(3) && (!axes || !(*axes)[i].is_const())) {
      out.assign(rank, Dim::unknown());
      break;
    }
    auto axis = normalize_axis(axes ? (*axes)[i].value() : static_cast<int64_t>(i), c.rank(0));
    if (!axis) return c.fail("{}", axis.error().message());
    if (seen & (1u << *axis)) return c.fail("axis {} is given twice", *axis);
    seen |= 1u << *axis;
    Dim& d = out[static_cast<size_t>(*axis)];
    if (!starts || !ends || (c.has_input(4) && (!steps || !(*steps)[i].is_const()))) {
      d = Dim::unknown();
      continue;
    }
    const int64_t step = steps ? (*steps)[i].value() : 1;
    if (step == 0 || step == INT64_MIN) return c.fail("step {} of axis {}", step, *axis);
    if (rank == 1) slice_elements(c, (*starts)[i], (*ends)[i], step);
    d = sliced(d, (*starts)[i], (*ends)[i], step);
  }
  c.set(0, c.type(0).dtype, std::move(out));
  return {};
}

Result<void> infer_transpose(InferContext& c) {
  if (!c.ranked(0)) return unranked(c);
  const size_t rank = static_cast<size_t>(c.rank(0));
  std::vector<int64_t> perm = c.attributes().get_ints("perm");
  if (!c.attributes().has("perm"))
    for (size_t i = rank; i-- > 0;) perm.push_back(static_cast<int64_t>(i));
  if (perm.size() != rank) return c.fail("perm has {} entries for {}", perm.size(), c.type(0).to_string());
  std::vector<char> seen(rank, 0);
  Dims out;
  for (int64_t p : perm) {
    if (p < 0 || p >= static_cast<int64_t>(rank) || seen[static_cast<size_t>(p)]++)
      return c.fail("perm is not a permutation of {} axes", rank);
    out.push_back(c.dims(0)[static_cast<size_t>(p)]);
  }
  if (auto e = c.elements(0); e && rank <= 1) c.set_elements(0, *e);
  c.set(0, c.type(0).dtype, std::move(out));
  return {};
}

Result<void> infer_expand(InferContext& c) {
  INGOT_TRY(require_index_list(c, 1));
  const auto shape = c.elements(1);
  if (!c.ranked(0)) return unranked(c);
  Dims wanted;
  if (shape)
    wanted = *shape;
  else if (c.ranked(1) && c.rank(1) == 1 && c.dims(1)[0].is_const() && c.dims(1)[0].value() <= limits::kRankMax)
    wanted.assign(static_cast<size_t>(c.dims(1)[0].value()), Dim::unknown());
  else
    return unranked(c);
  if (wanted.size() > limits::kRankMax) return c.fail("rank {} is over the limit {}", wanted.size(), limits::kRankMax);
  for (const Dim& d : wanted)
    if (d.is_const() && d.value() < 0) return c.fail("shape element {} is negative", d.value());
  auto out = broadcast(c.dims(0), wanted);
  if (!out) return c.fail("{}", out.error().message());
  const auto e = c.elements(0);
  if (e && out->size() <= 1 && (out->empty() || ((*out)[0].is_const() && (*out)[0].value() <= 1024))) {
    const size_t n = out->empty() ? 1 : static_cast<size_t>((*out)[0].value());
    if (e->size() == n)
      c.set_elements(0, *e);
    else if (e->size() == 1)
      c.set_elements(0, Dims(n, (*e)[0]));
  }
  c.set(0, c.type(0).dtype, std::move(*out));
  return {};
}

Result<void> infer_tile(InferContext& c) {
  INGOT_TRY(require_index_list(c, 1));
  if (!c.ranked(0)) return unranked(c);
  const auto repeats = c.elements(1);
  Dims out = c.dims(0);
  if (repeats && repeats->size() != out.size())
    return c.fail("{} repeats for {}", repeats->size(), c.type(0).to_string());
  for (size_t i = 0; i < out.size(); ++i) {
    if (repeats && (*repeats)[i].is_const() && (*repeats)[i].value() < 0)
      return c.fail("repeat {} is negative", (*repeats)[i].value());
    out[i] = repeats ? out[i] * (*repeats)[i] : Dim::unknown();
  }
  c.set(0, c.type(0).dtype, std::move(out));
  return {};
}

Result<void> infer_pad(InferContext& c) {
  INGOT_TRY(require_index_list(c, 1));
  INGOT_TRY(require_dtype(c, 2, c.type(0).dtype));
  INGOT_TRY(require_index_list(c, 3));
  if (!c.ranked(0)) return unranked(c);
  const std::string mode = c.attributes().get_string("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap")
    return c.fail("mode '{}' is not constant, reflect, edge or wrap", mode);
  const auto pads = c.elements(1), axes = c.elements(3);
  Dims out = c.dims(0);
  if (!pads || (c.has_input(3) && !axes)) {
    out.assign(out.size(), Dim::unknown());
  } else {
    const size_t n = axes ? axes->size() : out.size();
    if (pads->size() != 2 * n) return c.fail("{} pads for {} axes", pads->size(), n);
    for (size_t i = 0; i < n; ++i) {
      if (axes && !(*axes)[i].is_const()) return c.fail("axes are not constant");
      auto axis = normalize_axis(axes ? (*axes)[i].value() : static_cast<int64_t>(i), c.rank(0));
      if (!axis) return c.fail("{}", axis.error().message());
      for (const Dim& p : {(*pads)[i], (*pads)[n + i]})
        if (p.is_const() && (p.value() > kDimMax || p.value() < -kDimMax)) return c.fail("pad {}", p.value());
      Dim& d = out[static_cast<size_t>(*axis)];
      d = d + (*pads)[i] + (*pads)[n + i];
      if (d.is_const() && d.value() < 0) return c.fail("pads leave {} of axis {}", d.value(), *axis);
    }
  }
  c.set(0, c.type(0).dtype, std::move(out));
  return {};
}

Result<void> infer_depth_to_space(InferContext& c) {
  if (!c.ranked(0)) return unranked(c);
  const int64_t b = c.attributes().get_int("blocksize");
  if (c.rank(0) != 4 || b < 1 || b > 65536)
    return c.fail("needs [N,C,H,W] and a block size, has {} and {}", c.type(0).to_string(), b);
  const Dims& in = c.dims(0);
  if (in[1].is_const() && in[1].value() % (b * b))
    return c.fail("{} channels do not divide by {}", in[1].value(), b * b);
  c.set(0, c.type(0).dtype, {in[0], floor_div(in[1], b * b), in[2] * b, in[3] * b});
  return {};
}

Result<void> infer_space_to_depth(InferContext& c) {
  if (!c.ranked(0)) return unranked(c);
  const int64_t b = c.attributes().get_int("blocksize");
  if (c.rank(0) != 4 || b < 1 || b > 65536)
    return c.fail("needs [N,C,H,W] and a block size, has {} and {}", c.type(0).to_string(), b);
  const Dims& in = c.dims(0);
  for (size_t i : {2, 3})
    if (in[i].is_const() && in[i].value() % b) return c.fail("{} does not divide by {}", in[i].value(), b);
  c.set(0, c.type(0).dtype, {in[0], in[1] * (b * b), floor_div(in[2], b), floor_div(in[3], b)});
  return {};
}

}  // namespace ingot
