// Operators of ONNX Runtime's domain com.microsoft, expressed by ops of the vocabulary. Keys are without the domain.
#pragma once

#include <string_view>

#include "formats/onnx/convert.h"

namespace ingot::onnx {

// Null for an operator that is not built.
Convert find_microsoft(std::string_view op_type);

// Shared by the conversions.
struct MicrosoftDraft {
  NodeDraft& d;

  bool has(size_t i) const { return d.has_input(i); }
  ValueId in(size_t i) const { return d.has_input(i) ? d.node.inputs[i] : kNoValue; }
  Type type(ValueId v) const;
  // Operands [0, count) are there. Errors: kInvalidArgument.
  Result<void> require(size_t count) const;
  Result<ValueId> add(Op op, std::vector<ValueId> inputs, Attributes attributes = {}) const {
    return d.add(op, std::move(inputs), std::move(attributes));
  }
  Result<ValueId> cast(ValueId v, DType to) const;
  // The axis, cut into pieces of these sizes.
  Result<std::vector<ValueId>> split(ValueId v, int64_t axis, const std::vector<int64_t>& sizes) const;
  // Dimension i of a ranked value as a number. Errors: kUnimplemented if it is not known.
  Result<int64_t> dim(ValueId v, int i) const;
  // The size of dimension i when the graph runs, an i64[1].
  Result<ValueId> size_of(ValueId v, int64_t i) const;
  int64_t integer(std::string_view name, int64_t otherwise = 0) const;
  float number(std::string_view name, float otherwise = 0) const;
  std::string text(std::string_view name, std::string otherwise = "") const;
};

// Attention (convert_microsoft_attention.cc).
Result<void> convert_ms_attention(NodeDraft&);
Result<void> convert_ms_qattention(NodeDraft&);
Result<void> convert_ms_multi_head_attention(NodeDraft&);
Result<void> convert_ms_group_query_attention(NodeDraft&);
Result<void> convert_ms_rotary_embedding(NodeDraft&);
// Quantized (convert_microsoft_quantized.cc).
Result<void> convert_ms_qlinear_binary(NodeDraft&);  // QLinearAdd, QLinearMul
Result<void> convert_ms_qlinear_unary(NodeDraft&);   // QLinearSigmoid, QLinearLeakyRelu, …
Result<void> convert_ms_qlinear_concat(NodeDraft&);
Result<void> convert_ms_dynamic_quantize_matmul(NodeDraft&);
Result<void> convert_ms_dynamic_quantize_lstm(NodeDraft&);  // convert_dynamic_lstm.cc
Result<void> convert_ms_matmul_integer_to_float(NodeDraft&);
Result<void> convert_ms_qgemm(NodeDraft&);
Result<void> convert_ms_matmul_nbits(NodeDraft&);
Result<void> convert_ms_gather_block_quantized(NodeDraft&);
Result<void> convert_ms_quantize(NodeDraft&);  // QuantizeLinear, DequantizeLinear

}  // namespace ingot::onnx
