// Inference of the ops that make, change and read sequences and optionals. How long a sequence is, is not followed.
#include "ir/infer.h"

namespace ingot {
namespace {

Result<void> require_sequence(InferContext& c) {
  if (c.type(0).dtype == DType::kSequence) return {};
  return c.fail("operand 0 is {}, not a sequence", c.type(0).to_string());
}

// A position: one i32 or i64.
Result<void> require_position(InferContext& c, int i) {
  INGOT_TRY(require_index(c, i));
  return require_elements(c, i, 1);
}

}  // namespace

Result<void> infer_sequence_empty(InferContext& c) {
  const std::string name = c.attributes().get_string("dtype", "f32");
  const auto dtype = dtype_from_name(name);
  if (!dtype || is_container(*dtype)) return c.fail("dtype '{}' is no element type", name);
  c.set(0, Type::sequence(Type{*dtype, std::nullopt}));
  return {};
}

Result<void> infer_sequence_construct(InferContext& c) {
  Type element = c.type(0);
  for (int i = 0; i < c.num_inputs(); ++i) {
    if (!c.has_input(i)) return c.fail("operand {} is missing", i);
    auto joined = join(element, c.type(i));
    if (!joined) return c.fail("operands are {} and {}", element.to_string(), c.type(i).to_string());
    element = *std::move(joined);
  }
  c.set(0, Type::sequence(std::move(element)));
  return {};
}

Result<void> infer_sequence_insert(InferContext& c) {
  INGOT_TRY(require_sequence(c));
  INGOT_TRY(require_position(c, 2));
  auto joined = join(c.type(0).element(), c.type(1));
  if (!joined) return c.fail("{} does not go into {}", c.type(1).to_string(), c.type(0).to_string());
  c.set(0, Type::sequence(*std::move(joined)));
  return {};
}

Result<void> infer_sequence_erase(InferContext& c) {
  INGOT_TRY(require_sequence(c));
  INGOT_TRY(require_position(c, 1));
  c.set(0, Type::sequence(c.type(0).element()));
  return {};
}

Result<void> infer_sequence_at(InferContext& c) {
  INGOT_TRY(require_sequence(c));
  INGOT_TRY(require_position(c, 1));
  c.set(0, c.type(0).element());
  return {};
}

Result<void> infer_sequence_length(InferContext& c) {
  INGOT_TRY(require_sequence(c));
  c.set(0, DType::kI64, {});
  return {};
}

// The parts' sizes along the axis stay unknown, if the axis stays.
Result<void> infer_split_to_sequence(InferContext& c) {
  INGOT_TRY(require_index(c, 1));
  Type part = c.type(0);
  if (c.has_input(1) && c.ranked(1) && c.rank(1) > 1) return c.fail("sizes are {}", c.type(1).to_string());
  if (part.ranked()) {
    const auto axis = normalize_axis(c.attributes().get_int("axis"), part.rank());
    if (!axis) return c.fail("{}", axis.error().message());
    if (c.has_input(1) || c.attributes().get_int("keepdims", 1))
      (*part.dims)[static_cast<size_t>(*axis)] = c.has_input(1) ? Dim::unknown() : Dim(1);
    else
      part.dims->erase(part.dims->begin() + *axis);
  }
  c.set(0, Type::sequence(std::move(part)));
  return {};
}

Result<void> infer_concat_from_sequence(InferContext& c) {
  INGOT_TRY(require_sequence(c));
  Type t = c.type(0).element();
  if (t.is_container()) return c.fail("operand 0 is {}, not a sequence of tensors", c.type(0).to_string());
  const int64_t new_axis = c.attributes().get_int("new_axis");
  if (new_axis != 0 && new_axis != 1) return c.fail("new_axis is {}", new_axis);
  if (t.ranked()) {
    const auto axis = normalize_axis(c.attributes().get_int("axis"), t.rank() + static_cast<int>(new_axis));
    if (!axis) return c.fail("{}", axis.error().message());
    if (new_axis)
      t.dims->insert(t.dims->begin() + *axis, Dim::unknown());
    else
      (*t.dims)[static_cast<size_t>(*axis)] = Dim::unknown();
  }
  c.set(0, std::move(t));
  return {};
}

Result<void> infer_optional(InferContext& c) {
  if (c.has_input(0)) return c.set(0, Type::optional(c.type(0))), Result<void>{};
  const auto type = parse_type(c.attributes().get_string("type"));
  if (!type) return c.fail("type '{}' is none", c.attributes().get_string("type"));
  c.set(0, Type::optional(*type));
  return {};
}

Result<void> infer_optional_has_element(InferContext& c) {
  c.set(0, DType::kBool, {});
  return {};
}

Result<void> infer_optional_get_element(InferContext& c) {
  c.set(0, c.type(0).dtype == DType::kOptional ? c.type(0).element() : c.type(0));
  return {};
}

}  // namespace ingot
