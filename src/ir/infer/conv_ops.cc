// Inference of convolutions, pooling and Resize.
#include <algorithm>
#include <cmath>

#include "ir/infer.h"
#include "ir/infer/checks.h"
#include "ir/window.h"

namespace ingot {
namespace {

// The weight's spatial sizes, if they are integers.
std::optional<std::vector<int64_t>> weight_kernel(const InferContext& c) {
  std::vector<int64_t> out;
  for (size_t i = 2; i < c.dims(1).size(); ++i) {
    if (!c.dims(1)[i].is_const()) return std::nullopt;
    out.push_back(c.dims(1)[i].value());
  }
  return out;
}

Result<Dims> window_output(const InferContext& c, const Window& w, Dims out) {
  for (size_t i = 0; i < w.kernel.size(); ++i) {
    out.push_back(w.output_size(i, c.dims(0)[i + 2]));
    if (out.back().is_const() && out.back().value() < 1 && !c.dims(0)[i + 2].is_const(0))
      return c.fail("the window of {} does not fit into {}", w.extent(i), c.type(0).to_string());
  }
  return out;
}

}  // namespace

Result<void> infer_conv(InferContext& c) {
  const bool integer = c.node().op == Op::kConvInteger;
  const DType dtype = integer ? DType::kI32 : c.type(0).dtype;
  if (!integer && c.type(1).dtype != dtype)
    return c.fail("input is {}, weight {}", c.type(0).to_string(), c.type(1).to_string());
  for (int i : {2, 3}) INGOT_TRY(require_dtype(c, i, integer ? c.type(i - 2).dtype : dtype));
  if (!c.ranked(0) || !c.ranked(1)) return c.set_unranked(0, dtype), Result<void>{};
  if (c.rank(0) < 3 || c.rank(1) != c.rank(0))
    return c.fail("input {} and weight {} do not fit", c.type(0).to_string(), c.type(1).to_string());
  const int64_t group = c.attributes().get_int("group", 1);
  const Dim &channels = c.dims(0)[1], &per_group = c.dims(1)[1], &out_channels = c.dims(1)[0];
  if (group < 1 || group > INT32_MAX) return c.fail("group is {}", group);
  if (channels.is_const() && per_group.is_const() && channels.value() != per_group.value() * group)
    return c.fail("input {} has not {} groups of {} channels", c.type(0).to_string(), group, per_group.value());
  if (out_channels.is_const() && out_channels.value() % group)
    return c.fail("{} output channels do not divide into {} groups", out_channels.value(), group);
  if (!integer && c.has_input(2) && c.ranked(2) &&
      !(c.rank(2) == 1 && (c.dims(2)[0] == out_channels || !c.dims(2)[0].is_const())))
    return c.fail("bias {} does not match weight {}", c.type(2).to_string(), c.type(1).to_string());
  if (integer) INGOT_TRY(require_elements(c, 2, 1));
  if (const auto zero = integer && c.has_input(3) ? c.type(3).concrete() : std::nullopt;
      zero && zero->num_elements() != 1 && out_channels.is_const())
    INGOT_TRY(require_elements(c, 3, out_channels.value()));
  auto kernel = weight_kernel(c);
  if (!kernel) {
    Dims out(static_cast<size_t>(c.rank(0)), Dim::unknown());
    out[0] = c.dims(0)[0];
    out[1] = out_channels;
    return c.set(0, dtype, std::move(out)), Result<void>{};
  }
  auto w = parse_window(c.attributes(), c.rank(0) - 2, std::move(*kernel));
  if (!w) return c.fail("{}", w.error().message());
  Dims out = INGOT_TRY(window_output(c, *w, {c.dims(0)[0], out_channels}));
  if (c.node().op == Op::kFusedConv && c.has_input(3) && c.ranked(3)) {
    bool same = c.dims(3).size() == out.size();
    for (size_t i = 0; same && i < out.size(); ++i)
      same = !c.dims(3)[i].is_const() || !out[i].is_const() || c.dims(3)[i] == out[i];
    if (!same)
      return c.fail("residual {} is not of the result's shape {}", c.type(3).to_string(),
                    Type::of(dtype, out).to_string());
  }
  c.set(0, dtype, std::move(out));
  return {};
}

Result<void> infer_conv_transpose(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  if (c.type(1).dtype != dtype) return c.fail("input is {}, weight {}", c.type(0).to_string(), c.type(1).to_string());
  INGOT_TRY(require_dtype(c, 2, dtype));
  if (!c.ranked(0) || !c.ranked(1)) return c.set_unranked(0, dtype), Result<void>{};
  if (c.rank(0) < 3 || c.rank(1) != c.rank(0))
    return c.fail("input {} and weight {} do not fit", c.type(0).to_string(), c.type(1).to_string());
  const int64_t group = c.attributes().get_int("group", 1);
  if (group < 1 || group > INT32_MAX) return c.fail("group is {}", group);
  const Dim &channels = c.dims(0)[1], &weight_channels = c.dims(1)[0];
  if (channels.is_const() && weight_channels.is_const() &&
      (channels.value() != weight_channels.value() || channels.value() % group))
    return c.fail("input {} and weight {} do not fit {} groups", c.type(0).to_string(), c.type(1).to_string(), group);
  Dims out{c.dims(0)[0], c.dims(1)[1] * group};
  if (c.has_input(2) && c.ranked(2) &&
      (c.rank(2) != 1 || (c.dims(2)[0].is_const() && out[1].is_const() && !(c.dims(2)[0] == out[1]))))
    return c.fail("bias {} does not match weight {}", c.type(2).to_string(), c.type(1).to_string());
  auto kernel = weight_kernel(c);
  if (!kernel) return c.fail("the weight's spatial sizes are not known");
  auto w = parse_window(c.attributes(), c.rank(0) - 2, std::move(*kernel));
  if (!w) return c.fail("{}", w.error().message());
  const auto fixed = c.attributes().get_ints("output_shape"), extra = c.attributes().get_ints("output_padding");
  const size_t n = w->kernel.size();
  if ((!fixed.empty() && fixed.size() != n && fixed.size() != n + 2) || (!extra.empty() && extra.size() != n))
    return c.fail("output_shape or output_padding has not {} entries", n);
  for (size_t i = 0; i < n; ++i) {
    const int64_t add = extra.empty() ? 0 : extra[i];
    if (add < 0 || add > INT32_MAX) return c.fail("output_padding contains {}", add);
    if (!fixed.empty())
      out.push_back(fixed[fixed.size() - n + i]);
    else if (w->auto_pad == AutoPad::kSameUpper || w->auto_pad == AutoPad::kSameLower)
      out.push_back(c.dims(0)[i + 2] * w->strides[i]);
    else
      out.push_back((c.dims(0)[i + 2] - Dim(1)) * w->strides[i] +
                    Dim(add + w->extent(i) - w->pads_begin[i] - w->pads_end[i]));
    if (out.back().is_const() && out.back().value() < 1)
      return c.fail("output size {} of spatial axis {}", out.back().value(), i);
  }
  c.set(0, dtype, std::move(out));
  return {};
}

Result<void> infer_pool(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  if (!c.ranked(0)) {
    c.set_unranked(0, dtype);
    if (c.num_outputs() > 1) c.set_unranked(1, DType::kI64);
    return {};
  }
  if (c.rank(0) < 3) return c.fail("{} has no spatial dimension", c.type(0).to_string());
  auto w = parse_window(c.attributes(), c.rank(0) - 2, {});
  if (!w) return c.fail("{}", w.error().message());
  Dims out = INGOT_TRY(window_output(c, *w, {c.dims(0)[0], c.dims(0)[1]}));
  if (c.num_outputs() > 1) c.set(1, DType::kI64, out);
  c.set(0, dtype, std::move(out));
  return {};
}

Result<void> infer_global_pool(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  if (!c.ranked(0)) return c.set_unranked(0, dtype), Result<void>{};
  if (c.rank(0) < 3) return c.fail("{} has no spatial dimension", c.type(0).to_string());
  Dims out(c.dims(0).begin(), c.dims(0).begin() + 2);
  out.resize(c.dims(0).size(), Dim(1));
  c.set(0, dtype, std::move(out));
  return {};
}

namespace {

// floor(in * scale) for symbols, where it has a form.
Dim scaled(const Dim& in, double scale) {
  if (in.is_const()) {
    const double v = std::floor(static_cast<double>(in.value()) * scale);
    return v >= 0 && v < 1e15 ? Dim(static_cast<int64_t>(v)) : Dim::unknown();
  }
  if (scale == std::floor(scale) && scale < 1e9) return in * Dim(static_cast<int64_t>(scale));
  const double inverse = 1 / scale;
  if (inverse == std::floor(inverse) && inverse < 1e9) return floor_div(in, static_cast<int64_t>(inverse));
  return Dim::unknown();
}

Result<void> resize_to_sizes(const InferContext& c, const Dims& sizes, const std::vector<size_t>& axes, Dims& out) {
  const std::string policy = c.attributes().get_string("keep_aspect_ratio_policy", "stretch");
  double scale = 0;
  bool known = true;
  for (size_t i = 0; i < axes.size(); ++i) {
    const Dim &in = out[axes[i]], &want = sizes[i];
    if (want.is_const() && want.value() < 0) return c.fail("size {} is negative", want.value());
    if (!in.is_const() || !want.is_const() || in.is_const(0)) {
      known = false;
      continue;
    }
    const double s = static_cast<double>(want.value()) / static_cast<double>(in.value());
    scale = i == 0 ? s : policy == "not_larger" ? std::min(scale, s) : std::max(scale, s);
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    if (policy == "stretch")
      out[axes[i]] = sizes[i];
    else
      out[axes[i]] = known ? Dim(static_cast<int64_t>(std::round(static_cast<double>(out[axes[i]].value()) * scale)))
                           : Dim::unknown();
  }
  return {};
}

}  // namespace

// Operands: x, roi?, scales?, sizes?; exactly one of the last two.
Result<void> infer_resize(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_dtype(c, 2, DType::kF32));
  INGOT_TRY(require_index_list(c, 3));
  if (!c.ranked(0)) return c.set_unranked(0, dtype), Result<void>{};
  Dims out = c.dims(0);
  std::vector<size_t> axes = INGOT_TRY(listed_axes(c));
  if (axes.empty())
    for (size_t i = 0; i < out.size(); ++i) axes.push_back(i);
  const Tensor* scales = c.constant(2);
  const bool has_scales = c.has_input(2) && !(scales && scales->defined() && scales->shape().num_elements() == 0);
  if (has_scales == c.has_input(3)) return c.fail("needs either scales or sizes");
  if (c.has_input(3)) {
    const auto sizes = c.elements(3);
    if (sizes && sizes->size() != axes.size()) return c.fail("{} sizes for {} axes", sizes->size(), axes.size());
    if (sizes)
      INGOT_TRY(resize_to_sizes(c, *sizes, axes, out));
    else
      for (size_t a : axes) out[a] = Dim::unknown();
  } else if (scales && scales->defined()) {
    if (scales->dtype() != DType::kF32 || scales->shape().num_elements() != static_cast<int64_t>(axes.size()))
      return c.fail("scales are {} for {} axes", Type::of(scales->view()).to_string(), axes.size());
    for (size_t i = 0; i < axes.size(); ++i) {
      const float s = scales->as<float>()[i];
      if (!(s > 0) || !std::isfinite(s)) return c.fail("scale {} is not positive", s);
      out[axes[i]] = scaled(out[axes[i]], s);
    }
  } else {
    for (size_t a : axes) out[a] = Dim::unknown();
  }
  for (size_t i = 0; i < out.size(); ++i)
    if (c.dims(0)[i].is_const(0) && out[i].is_const() && !out[i].is_const(0))
      return c.fail("axis {} of {} is empty", i, c.type(0).to_string());
  c.set(0, dtype, std::move(out));
  return {};
}

}  // namespace ingot
