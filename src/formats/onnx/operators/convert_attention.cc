// Conversions of ONNX's attention family.
#include "formats/onnx/convert.h"
#include "formats/onnx/graph_builder.h"

namespace ingot::onnx {

// The precision is a number in the file and a name in the graph.
Result<void> convert_attention(NodeDraft& d) {
  const auto precision = d.take("softmax_precision");
  if (!precision) return {};
  const int64_t number = std::get<int64_t>(*precision);
  const auto dtype = number < 0 || number > INT32_MAX ? std::nullopt : dtype_of(static_cast<int32_t>(number));
  if (!dtype || !is_float(*dtype)) return d.fail("softmax_precision {} is not a float type", number);
  d.attributes().set("softmax_precision", std::string(dtype_name(*dtype)));
  return {};
}

// Swish of the first operand times the second, which has the same shape.
Result<void> convert_swiglu(NodeDraft& d) {
  if (d.node.inputs.size() != 2 || !d.has_input(0) || !d.has_input(1)) return d.fail("needs two operands");
  const Type &gate = d.builder.known(d.node.inputs[0]).type, &up = d.builder.known(d.node.inputs[1]).type;
  bool same = gate.dtype == up.dtype;
  if (gate.ranked() && up.ranked()) {
    same &= gate.rank() == up.rank();
    for (size_t i = 0; same && i < gate.dims->size(); ++i) {
      const Dim &a = (*gate.dims)[i], &b = (*up.dims)[i];
      same = !a.is_const() || !b.is_const() || a == b;
    }
  }
  if (!same) return d.fail("operands {} and {} are not of one type", gate.to_string(), up.to_string());
  const ValueId opened = INGOT_TRY(d.add(Op::kSwish, {d.node.inputs[0]}, d.attributes()));
  d.node.op = Op::kMul;
  d.node.inputs[0] = opened;
  d.node.attributes = {};
  return {};
}

}  // namespace ingot::onnx
