// Conversions of the QLinear operators: integer products, one rescaling, rounding once at the end.
#include "formats/onnx/convert.h"
#include "formats/onnx/graph_builder.h"

namespace ingot::onnx {
namespace {

bool is_byte(const NodeDraft& d, size_t i) {
  const DType t = d.builder.known(d.node.inputs[i]).type.dtype;
  return t == DType::kI8 || t == DType::kU8;
}

// A scale as f32: a scalar where it has one element, else a list reshaped to `shape`.
Result<ValueId> scale_of(NodeDraft& d, ValueId v, const std::vector<int64_t>& shape) {
  if (d.builder.known(v).type.dtype != DType::kF32) v = INGOT_TRY(d.add(Op::kCast, {v}, {{"to", "f32"}}));
  const Type type = d.builder.known(v).type;
  if (!type.ranked()) return d.fail("a scale of unknown rank");
  if (type.rank() == 0) return v;
  if (type.rank() == 1)
    return d.add(Op::kReshape, {v, d.int_list(type.dims->front().is_const(1) ? std::vector<int64_t>{} : shape)});
  return v;
}

// sums (i32) * left * right / out, rounded to the type of the zero point.
Result<ValueId> requantize(NodeDraft& d, ValueId sums, ValueId left, ValueId right, ValueId out, ValueId zero) {
  const ValueId real = INGOT_TRY(d.add(Op::kCast, {sums}, {{"to", "f32"}}));
  const ValueId scale = INGOT_TRY(d.add(Op::kDiv, {INGOT_TRY(d.add(Op::kMul, {left, right})), out}));
  const ValueId scaled = INGOT_TRY(d.add(Op::kMul, {real, scale}));
  return d.add(Op::kQuantizeLinear, {scaled, d.scalar_like(scaled, 1), zero});
}

Result<void> require_operands(NodeDraft& d, size_t count) {
  for (size_t i = 0; i < count; ++i)
    if (!d.has_input(i)) return d.fail("operand {} is missing", i);
  return {};
}

}  // namespace

// (a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero)
Result<void> convert_qlinear_matmul(NodeDraft& d) {
  INGOT_TRY(require_operands(d, 8));
  const auto in = d.node.inputs;
  if (is_byte(d, 0) && is_byte(d, 3)) {
    const ValueId sums = INGOT_TRY(d.add(Op::kMatMulInteger, {in[0], in[3], in[2], in[5]}));
    d.results = {
        INGOT_TRY(requantize(d, sums, INGOT_TRY(scale_of(d, in[1], {-1, 1})), INGOT_TRY(scale_of(d, in[4], {-1})),
                             INGOT_TRY(scale_of(d, in[6], {-1})), in[7]))};
    return {};
  }
  const ValueId a = INGOT_TRY(d.add(Op::kDequantizeLinear, {in[0], in[1], in[2]}, {{"axis", int64_t{-2}}}));
  const ValueId b = INGOT_TRY(d.add(Op::kDequantizeLinear, {in[3], in[4], in[5]}, {{"axis", int64_t{-1}}}));
  d.results = {INGOT_TRY(d.add(Op::kQuantizeLinear, {INGOT_TRY(d.add(Op::kMatMul, {a, b})), in[6], in[7]}))};
  return {};
}

// (x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias? i32)
Result<void> convert_qlinear_conv(NodeDraft& d) {
  INGOT_TRY(require_operands(d, 8));
  const auto in = d.node.inputs;
  const Type weight = d.builder.known(in[3]).type;
  if (!weight.ranked() || weight.rank() < 3) return d.fail("the weight is {}", weight.to_string());
  std::vector<int64_t> channels(static_cast<size_t>(weight.rank()), 1);
  channels[1] = -1;
  ValueId sums = INGOT_TRY(d.add(Op::kConvInteger, {in[0], in[3], in[2], in[5]}, d.attributes()));
  if (d.has_input(8))
    sums = INGOT_TRY(d.add(Op::kAdd, {sums, INGOT_TRY(d.add(Op::kReshape, {in[8], d.int_list(channels)}))}));
  d.results = {
      INGOT_TRY(requantize(d, sums, INGOT_TRY(scale_of(d, in[1], channels)), INGOT_TRY(scale_of(d, in[4], channels)),
                           INGOT_TRY(scale_of(d, in[6], channels)), in[7]))};
  return {};
}

}  // namespace ingot::onnx
