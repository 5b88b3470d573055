// Conversions of operators whose form of opsets 1 to 6 is gone.
#include <cmath>

#include "formats/onnx/convert.h"
#include "formats/onnx/graph_builder.h"

namespace ingot::onnx {
namespace {

// One number that is known at import, of any number type. nullopt if it is not.
std::optional<int64_t> constant_integer(const NodeDraft& d, size_t i) {
  if (!d.has_input(i)) return std::nullopt;
  const Tensor* t = d.builder.graph().constant(d.node.inputs[i]);
  if (!t || t->shape().num_elements() != 1) return std::nullopt;
  switch (t->dtype()) {
    case DType::kI64: return *t->as<int64_t>();
    case DType::kI32: return *t->as<int32_t>();
    case DType::kF32:
      return std::fabs(*t->as<float>()) < 1e15f ? std::optional(static_cast<int64_t>(*t->as<float>())) : std::nullopt;
    default: return std::nullopt;
  }
}

}  // namespace

// The shape was an attribute before opset 5.
Result<void> convert_reshape(NodeDraft& d) {
  d.take("consumed_inputs");
  const auto shape = d.take("shape");
  if (!shape) return {};
  if (d.has_input(1)) return d.fail("has a shape both as attribute and as operand");
  d.set_input(1, d.int_list(std::get<std::vector<int64_t>>(*shape)));
  return {};
}

// The axis was 1 unless given, before opset 4.
Result<void> convert_concat(NodeDraft& d) {
  if (d.opset < 4 && !d.attributes().has("axis")) d.attributes().set("axis", int64_t{1});
  return {};
}

// The defaults were shorter numbers before opset 6.
Result<void> convert_selu(NodeDraft& d) {
  d.take("consumed_inputs");
  if (d.opset >= 6) return {};
  if (!d.attributes().has("alpha")) d.attributes().set("alpha", 1.6732f);
  if (!d.attributes().has("gamma")) d.attributes().set("gamma", 1.0507f);
  return {};
}

// (x, tiles, axis) before opset 6: one axis is repeated.
Result<void> convert_tile(NodeDraft& d) {
  if (d.opset >= 6) return {};
  if (!d.has_input(0)) return d.fail("has no operand");
  const auto tiles = constant_integer(d, 1), axis = constant_integer(d, 2);
  const Type& x = d.builder.known(d.node.inputs[0]).type;
  if (!tiles || !axis || !x.ranked()) return d.unsupported("tiles or an axis that only the run tells");
  const auto at = normalize_axis(*axis, x.rank());
  if (!at) return d.fail("{}", at.error().message());
  std::vector<int64_t> repeats(static_cast<size_t>(x.rank()), 1);
  repeats[static_cast<size_t>(*at)] = *tiles;
  d.node.inputs = {d.node.inputs[0], d.int_list(repeats)};
  return {};
}

// Statistics of every element of a sample (spatial = 0, before opset 9): they broadcast over the batch.
Result<void> convert_batch_normalization_of_elements(NodeDraft& d) {
  if (d.node.inputs.size() != 5) return d.fail("has {} operands, needs 5", d.node.inputs.size());
  for (size_t i = 0; i < 5; ++i)
    if (!d.has_input(i)) return d.fail("operand {} is missing", i);
  const std::vector<ValueId> in = d.node.inputs;
  const ValueId epsilon = d.scalar_like(in[0], std::get<float>(d.take("epsilon").value_or(1e-5f)));
  const ValueId spread = INGOT_TRY(d.add(Op::kSqrt, {INGOT_TRY(d.add(Op::kAdd, {in[4], epsilon}))}));
  const ValueId centered = INGOT_TRY(d.add(Op::kSub, {in[0], in[3]}));
  const ValueId scaled = INGOT_TRY(d.add(Op::kMul, {INGOT_TRY(d.add(Op::kDiv, {centered, spread})), in[1]}));
  d.results = {INGOT_TRY(d.add(Op::kAdd, {scaled, in[2]}))};
  return {};
}

std::optional<DType> dtype_of_old_name(std::string_view name) {
  static constexpr std::pair<std::string_view, DType> kNames[] = {
      {"FLOAT", DType::kF32},  {"UINT8", DType::kU8},      {"INT8", DType::kI8},        {"UINT16", DType::kU16},
      {"INT16", DType::kI16},  {"INT32", DType::kI32},     {"INT64", DType::kI64},      {"STRING", DType::kString},
      {"BOOL", DType::kBool},  {"FLOAT16", DType::kF16},   {"DOUBLE", DType::kF64},     {"UINT32", DType::kU32},
      {"UINT64", DType::kU64}, {"COMPLEX64", DType::kC64}, {"COMPLEX128", DType::kC128}};
  for (const auto& [spelled, dtype] : kNames)
    if (spelled == name) return dtype;
  return std::nullopt;
}

}  // namespace ingot::onnx
