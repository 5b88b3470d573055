// com.microsoft.DynamicQuantizeLSTM: an LSTM whose weights are bytes and whose operands become bytes as it runs.
//
// The products of bytes are those of the values they stand for, so it is the LSTM of the weights' values (constants,
// which are folded), of the input's quantized values, and of a state that is rounded at each step (`quantized_state`).
#include "formats/onnx/graph_builder.h"
#include "formats/onnx/operators/convert_microsoft.h"

namespace ingot::onnx {
namespace {

// (scale or zero point [D] or [D,4H]) over weights [D,I,4H].
Result<ValueId> over_weights(const MicrosoftDraft& m, ValueId v) {
  const Type type = m.type(v);
  if (!type.ranked() || type.rank() < 1 || type.rank() > 2)
    return m.d.fail("a scale or zero point is {}", type.to_string());
  const std::vector<int64_t> axes = type.rank() == 1 ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{1};
  return m.add(Op::kUnsqueeze, {v, m.d.int_list(axes)});
}

// Weights i [D,I,4H], scale s, zero point s + 1 -> floats [D,4H,I].
Result<ValueId> weights(const MicrosoftDraft& m, size_t i, size_t s) {
  ValueId w = INGOT_TRY(m.cast(m.in(i), DType::kF32));
  if (m.has(s + 1)) {
    const ValueId zero = INGOT_TRY(m.cast(m.in(s + 1), DType::kF32));
    w = INGOT_TRY(m.add(Op::kSub, {w, INGOT_TRY(over_weights(m, zero))}));
  }
  w = INGOT_TRY(m.add(Op::kMul, {w, INGOT_TRY(over_weights(m, m.in(s)))}));
  return m.add(Op::kTranspose, {w}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
}

}  // namespace

// (x, w, r, bias?, lengths?, h?, c?, peepholes?, w_scale, w_zero?, r_scale, r_zero?)
Result<void> convert_ms_dynamic_quantize_lstm(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(3));
  if (!m.has(8) || !m.has(10)) return d.fail("the scale of the weights is missing");
  const auto x = INGOT_TRY(
      d.builder.add_node({.op = Op::kDynamicQuantizeLinear, .name = d.node.name, .inputs = {m.in(0)}}, {}, 3));
  const ValueId w = INGOT_TRY(weights(m, 1, 8)), r = INGOT_TRY(weights(m, 2, 10));
  d.node.op = Op::kLSTM;
  d.node.inputs.resize(8);
  while (d.node.inputs.back() == kNoValue) d.node.inputs.pop_back();
  d.node.inputs[0] = INGOT_TRY(m.add(Op::kDequantizeLinear, {x[0], x[1], x[2]}));
  d.node.inputs[1] = w;
  d.node.inputs[2] = r;
  d.attributes().set("quantized_state", int64_t{1});
  return {};
}

}  // namespace ingot::onnx
