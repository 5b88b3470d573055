// com.microsoft.DynamicQuantizeLSTM: an LSTM whose weights are bytes and whose operands become bytes as it runs.
//
// The products of bytes are those of the values they stand for, so it is the LSTM of the weights' values, of the
// input's quantized values, and of a state that is rounded at each step (`quantized_state`).
#include <algorithm>
#include <array>

#include "formats/onnx/graph_builder.h"
#include "formats/onnx/operators/convert_microsoft.h"

namespace ingot::onnx {
namespace {

int byte_at(const Tensor& t, int64_t i) { return t.dtype() == DType::kI8 ? t.as<int8_t>()[i] : t.as<uint8_t>()[i]; }
bool is_bytes(const Tensor& t) { return t.dtype() == DType::kI8 || t.dtype() == DType::kU8; }

// Operands i: bytes [D,I,4H], s: scales f32 [D] or [D,4H], s + 1: zero points like them -> constant f32 [D,4H,I].
Result<ValueId> weights(const MicrosoftDraft& m, size_t i, size_t s) {
  const Graph& graph = m.d.builder.graph();
  const Tensor *w = graph.constant(m.in(i)), *scale = m.has(s) ? graph.constant(m.in(s)) : nullptr,
               *zero = m.has(s + 1) ? graph.constant(m.in(s + 1)) : nullptr;
  if (!w || !scale || (m.has(s + 1) && !zero)) return m.d.unsupported("a weight or a scale that is not a constant");
  if (w->shape().rank() != 3 || !is_bytes(*w)) return m.d.fail("operand {} is {}", i, Type::of(w->view()).to_string());
  const int64_t directions = w->shape()[0], rows = w->shape()[1], columns = w->shape()[2];
  const int64_t scales = scale->shape().num_elements();
  if (scale->dtype() != DType::kF32 || (scales != directions && scales != directions * columns))
    return m.d.fail("operand {} is {}", s, Type::of(scale->view()).to_string());
  if (zero && (!is_bytes(*zero) || zero->shape().num_elements() != scales))
    return m.d.fail("operand {} is {}", s + 1, Type::of(zero->view()).to_string());
  Tensor out = Tensor::allocate(DType::kF32, Shape{directions, columns, rows});
  for (int64_t at = 0; at < directions * columns; ++at) {
    const int64_t q = scales == directions ? at / columns : at, first = at / columns * rows * columns + at % columns;
    for (int64_t r = 0; r < rows; ++r)
      out.mutable_as<float>()[at * rows + r] =
          static_cast<float>(byte_at(*w, first + r * columns) - (zero ? byte_at(*zero, q) : 0)) * scale->as<float>()[q];
  }
  return m.d.builder.add_constant(fmt::format("{}_weight_{}", m.d.node.name, i), std::move(out));
}

}  // namespace

// (x, w, r, bias?, lengths?, h?, c?, peepholes?, w_scale, w_zero?, r_scale, r_zero?)
Result<void> convert_ms_dynamic_quantize_lstm(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(3));
  const auto x = INGOT_TRY(
      d.builder.add_node({.op = Op::kDynamicQuantizeLinear, .name = d.node.name, .inputs = {m.in(0)}}, {}, 3));
  const ValueId w = INGOT_TRY(weights(m, 1, 8)), r = INGOT_TRY(weights(m, 2, 10));
  const ValueId values = INGOT_TRY(m.add(Op::kDequantizeLinear, {x[0], x[1], x[2]}));
  d.node.op = Op::kLSTM;
  d.node.inputs.resize(8);
  std::copy_n(std::to_array({values, w, r}).begin(), 3, d.node.inputs.begin());
  while (d.node.inputs.back() == kNoValue) d.node.inputs.pop_back();
  d.attributes().set("quantized_state", int64_t{1});
  return {};
}

}  // namespace ingot::onnx
