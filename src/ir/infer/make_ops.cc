// Inference of ops that make tensors or read shapes: Shape, Size, ConstantOfShape, Range, OneHot, EyeLike, NonZero.
#include <algorithm>
#include <cmath>

#include "ir/infer.h"
#include "tensor/half.h"

namespace ingot {
namespace {

constexpr int64_t kElementsFollowedMax = 1024;

// The one element of a constant number as a double.
std::optional<double> scalar(const InferContext& c, int i) {
  const Tensor* t = c.constant(i);
  if (!t || !t->defined() || t->shape().num_elements() != 1) return std::nullopt;
  switch (t->dtype()) {
    case DType::kF32: return *t->as<float>();
    case DType::kF64: return *t->as<double>();
    case DType::kF16: return half_to_float(*t->as<uint16_t>());
    case DType::kBF16: return bf16_to_float(*t->as<uint16_t>());
    default: return std::nullopt;
  }
}

}  // namespace

Result<void> infer_shape(InferContext& c) {
  if (!c.ranked(0)) return c.set(0, DType::kI64, {Dim::unknown()}), Result<void>{};
  const int64_t rank = c.rank(0);
  const auto clamp = [&](int64_t v) { return std::clamp<int64_t>(v < 0 ? v + rank : v, 0, rank); };
  const int64_t start = clamp(c.attributes().get_int("start", 0)), end = clamp(c.attributes().get_int("end", rank));
  Dims out;
  for (int64_t i = start; i < end; ++i) out.push_back(c.dims(0)[static_cast<size_t>(i)]);
  c.set(0, DType::kI64, {static_cast<int64_t>(out.size())});
  c.set_elements(0, std::move(out));
  return {};
}

Result<void> infer_size(InferContext& c) {
  c.set(0, DType::kI64, {});
  if (!c.ranked(0)) return {};
  Dim n(1);
  for (const Dim& d : c.dims(0)) n = n * d;
  c.set_elements(0, {n});
  return {};
}

Result<void> infer_constant_of_shape(InferContext& c) {
  INGOT_TRY(require_index_list(c, 0));
  const Attribute* a = c.attributes().find("value");
  const Tensor* value = a ? std::get_if<Tensor>(a) : nullptr;
  if (a && (!value || value->shape().num_elements() != 1)) return c.fail("value is not a tensor of one element");
  const DType dtype = value ? value->dtype() : DType::kF32;
  const auto shape = c.elements(0);
  if (!shape) {
    if (c.ranked(0) && c.rank(0) == 1 && c.dims(0)[0].is_const() && c.dims(0)[0].value() <= limits::kRankMax)
      c.set(0, dtype, Dims(static_cast<size_t>(c.dims(0)[0].value()), Dim::unknown()));
    else
      c.set_unranked(0, dtype);
    return {};
  }
  if (shape->size() > limits::kRankMax) return c.fail("rank {} is over the limit {}", shape->size(), limits::kRankMax);
  for (const Dim& d : *shape)
    if (d.is_const() && d.value() < 0) return c.fail("shape element {} is negative", d.value());
  c.set(0, dtype, *shape);
  if (shape->size() > 1 || (dtype != DType::kI64 && dtype != DType::kI32)) return {};
  const Dim n = shape->empty() ? Dim(1) : (*shape)[0];
  if (!n.is_const() || n.value() > kElementsFollowedMax) return {};
  const int64_t v = dtype == DType::kI64 ? *value->as<int64_t>() : *value->as<int32_t>();
  c.set_elements(0, Dims(static_cast<size_t>(n.value()), Dim(v)));
  return {};
}

Result<void> infer_range(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  for (int i = 1; i < 3; ++i)
    if (c.type(i).dtype != dtype) return c.fail("operands are {} and {}", c.type(0).to_string(), c.type(i).to_string());
  const auto start = c.elements(0), limit = c.elements(1), delta = c.elements(2);
  if (start && limit && delta && start->size() == 1 && limit->size() == 1 && delta->size() == 1) {
    const Dim &s = (*start)[0], &l = (*limit)[0], &d = (*delta)[0];
    if (d.is_const(0)) return c.fail("delta is 0");
    if (s.is_const() && l.is_const() && d.is_const()) {
      const double exact =
          std::ceil((static_cast<double>(l.value()) - static_cast<double>(s.value())) / static_cast<double>(d.value()));
      if (exact > static_cast<double>(limits::kTensorElementsMax)) return c.fail("has {} elements", exact);
      const int64_t n = std::max<int64_t>(0, static_cast<int64_t>(exact));
      c.set(0, dtype, {n});
      Dims out;
      for (int64_t i = 0; i < n && n <= kElementsFollowedMax; ++i) out.push_back(s + Dim(i) * d);
      if (n <= kElementsFollowedMax) c.set_elements(0, std::move(out));
    } else {
      c.set(0, dtype, {d.is_const() ? ceil_div(l - s, d) : Dim::unknown()});
    }
    return {};
  }
  const auto fs = scalar(c, 0), fl = scalar(c, 1), fd = scalar(c, 2);
  if (!fs || !fl || !fd) return c.set(0, dtype, {Dim::unknown()}), Result<void>{};
  const double n = std::max(0.0, std::ceil((*fl - *fs) / *fd));
  if (!(n <= static_cast<double>(limits::kTensorElementsMax))) return c.fail("has {} elements", n);
  c.set(0, dtype, {static_cast<int64_t>(n)});
  return {};
}

Result<void> infer_one_hot(InferContext& c) {
  const DType dtype = c.type(2).dtype;
  INGOT_TRY(require_elements(c, 2, 2));
  if (!c.ranked(0)) return c.set_unranked(0, dtype), Result<void>{};
  auto axis = normalize_axis(c.attributes().get_int("axis", -1), c.rank(0) + 1);
  if (!axis) return c.fail("{}", axis.error().message());
  if (c.rank(0) + 1 > limits::kRankMax) return c.fail("rank {} is over the limit", c.rank(0) + 1);
  Dim depth = Dim::unknown();
  if (const auto e = c.elements(1); e && e->size() == 1)
    depth = (*e)[0];
  else if (const auto f = scalar(c, 1); f && *f >= 0 && *f < 1e15)
    depth = static_cast<int64_t>(*f);
  if (depth.is_const() && depth.value() < 0) return c.fail("depth {} is negative", depth.value());
  Dims out = c.dims(0);
  out.insert(out.begin() + *axis, depth);
  c.set(0, dtype, std::move(out));
  return {};
}

Result<void> infer_eye_like(InferContext& c) {
  if (c.ranked(0) && c.rank(0) != 2) return c.fail("{} is not a matrix", c.type(0).to_string());
  const auto dtype = dtype_from_name(c.attributes().get_string("dtype", std::string(dtype_name(c.type(0).dtype))));
  if (!dtype) return c.fail("dtype is not an element type");
  c.set(0, Type{*dtype, c.type(0).dims});
  return {};
}

Result<void> infer_non_zero(InferContext& c) {
  c.set(0, DType::kI64, {c.ranked(0) ? Dim(c.rank(0)) : Dim::unknown(), Dim::unknown()});
  return {};
}

}  // namespace ingot
