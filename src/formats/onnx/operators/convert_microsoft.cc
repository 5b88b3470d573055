#include "formats/onnx/operators/convert_microsoft.h"

#include <unordered_map>

#include "formats/onnx/graph_builder.h"

namespace ingot::onnx {

Type MicrosoftDraft::type(ValueId v) const { return d.builder.known(v).type; }

Result<void> MicrosoftDraft::require(size_t count) const {
  for (size_t i = 0; i < count; ++i)
    if (!has(i)) return d.fail("operand {} is missing", i);
  return {};
}

Result<ValueId> MicrosoftDraft::cast(ValueId v, DType to) const {
  if (type(v).dtype == to) return v;
  return add(Op::kCast, {v}, {{"to", std::string(dtype_name(to))}});
}

Result<std::vector<ValueId>> MicrosoftDraft::split(ValueId v, int64_t axis, const std::vector<int64_t>& sizes) const {
  Node node{.op = Op::kSplit, .name = d.node.name, .inputs = {v, d.int_list(sizes)}, .attributes = {{"axis", axis}}};
  return d.builder.add_node(std::move(node), {}, sizes.size());
}

Result<int64_t> MicrosoftDraft::dim(ValueId v, int i) const {
  const Type& t = type(v);
  if (t.ranked()) {
    const int at = i < 0 ? i + t.rank() : i;
    if (at >= 0 && at < t.rank() && (*t.dims)[static_cast<size_t>(at)].is_const())
      return (*t.dims)[static_cast<size_t>(at)].value();
  }
  return d.unsupported(fmt::format("an operand {} whose dimension {} is not a number", t.to_string(), i));
}

Result<ValueId> MicrosoftDraft::size_of(ValueId v, int64_t i) const {
  Attributes range{{"start", i}};
  if (i != -1) range.set("end", i + 1);
  return add(Op::kShape, {v}, std::move(range));
}

int64_t MicrosoftDraft::integer(std::string_view name, int64_t otherwise) const {
  return d.attributes().get_int(name, otherwise);
}
float MicrosoftDraft::number(std::string_view name, float otherwise) const {
  return d.attributes().get_float(name, otherwise);
}
std::string MicrosoftDraft::text(std::string_view name, std::string otherwise) const {
  return d.attributes().get_string(name, std::move(otherwise));
}

namespace {

// (x, bias?)
Result<ValueId> biased(const MicrosoftDraft& m) {
  INGOT_TRY(m.require(1));
  return m.has(1) ? m.add(Op::kAdd, {m.in(0), m.in(1)}) : Result<ValueId>(m.in(0));
}

Result<void> convert_gelu(NodeDraft& d) {
  const ValueId x = INGOT_TRY(biased({d}));
  const std::string form = d.op_type.ends_with("FastGelu") ? "tanh" : "none";
  d.results = {INGOT_TRY(d.add(Op::kGelu, {x}, {{"approximate", form}}))};
  return {};
}

Result<void> convert_quick_gelu(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(1));
  d.results = {INGOT_TRY(m.add(Op::kSwish, {m.in(0)}, {{"alpha", m.number("alpha", 1.702f)}}))};
  return {};
}

Result<void> convert_fused_matmul(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(2));
  if (m.integer("transBatchA") || m.integer("transBatchB")) return d.unsupported("transBatchA or transBatchB");
  d.results = {INGOT_TRY(
      m.add(Op::kFusedMatMul, {m.in(0), m.in(1)},
            {{"transA", m.integer("transA")}, {"transB", m.integer("transB")}, {"scale", m.number("alpha", 1)}}))};
  return {};
}

// The activation of a fused operator as an op of its own.
Result<ValueId> activate(const MicrosoftDraft& m, ValueId x, const std::string& name, float alpha, float beta,
                         float gamma) {
  if (name.empty()) return x;
  if (name == "Relu") return m.add(Op::kRelu, {x});
  if (name == "Sigmoid") return m.add(Op::kSigmoid, {x});
  if (name == "Tanh") return m.add(Op::kTanh, {x});
  if (name == "Softplus") return m.add(Op::kSoftplus, {x});
  if (name == "Softsign") return m.add(Op::kSoftsign, {x});
  if (name == "LeakyRelu") return m.add(Op::kLeakyRelu, {x}, {{"alpha", alpha}});
  if (name == "Elu") return m.add(Op::kElu, {x}, {{"alpha", alpha}});
  if (name == "ThresholdedRelu") return m.add(Op::kThresholdedRelu, {x}, {{"alpha", alpha}});
  if (name == "HardSigmoid") return m.add(Op::kHardSigmoid, {x}, {{"alpha", alpha}, {"beta", beta}});
  if (name == "Selu") return m.add(Op::kSelu, {x}, {{"alpha", alpha}, {"gamma", gamma}});
  if (name == "Clip") return m.add(Op::kClip, {x, m.d.scalar_like(x, alpha), m.d.scalar_like(x, beta)});
  return m.d.unsupported(fmt::format("activation '{}'", name));
}

Result<void> convert_fused_gemm(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(2));
  Attributes gemm;
  for (std::string_view name : {"alpha", "beta", "transA", "transB"})
    if (const Attribute* a = d.attributes().find(name)) gemm.set(std::string(name), *a);
  const ValueId y = INGOT_TRY(m.add(Op::kGemm, d.node.inputs, std::move(gemm)));
  d.results = {INGOT_TRY(activate(m, y, m.text("activation"), m.number("activation_alpha", 0.01f),
                                  m.number("activation_beta"), m.number("activation_gamma")))};
  return {};
}

// activation(Conv(x, w, bias?) + z?)
Result<void> convert_fused_conv(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(2));
  const auto name = d.take("activation"), given = d.take("activation_params");
  const std::vector<float> p = given ? std::get<std::vector<float>>(*given) : std::vector<float>{};
  const auto parameter = [&](size_t i) { return i < p.size() ? p[i] : 0; };
  ValueId y = INGOT_TRY(m.add(Op::kConv, {m.in(0), m.in(1), m.in(2)}, d.attributes()));
  if (m.has(3)) y = INGOT_TRY(m.add(Op::kAdd, {y, m.in(3)}));
  d.results = {
      INGOT_TRY(activate(m, y, name ? std::get<std::string>(*name) : "", parameter(0), parameter(1), parameter(2)))};
  return {};
}

// Channels last around a convolution or pooling.
Result<void> convert_nhwc(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(1));
  const Op op = d.op_type.ends_with("Conv") ? Op::kConv : Op::kMaxPool;
  std::vector<ValueId> in = d.node.inputs;
  const std::vector<int64_t> first{0, 3, 1, 2}, last{0, 2, 3, 1};
  in[0] = INGOT_TRY(m.add(Op::kTranspose, {in[0]}, {{"perm", first}}));
  if (op == Op::kConv && in.size() > 1) in[1] = INGOT_TRY(m.add(Op::kTranspose, {in[1]}, {{"perm", first}}));
  const ValueId y = INGOT_TRY(m.add(op, in, d.attributes()));
  d.results = {INGOT_TRY(m.add(Op::kTranspose, {y}, {{"perm", last}}))};
  return {};
}

// RMS normalization, also known in the standard domain under this name.
Result<void> convert_simplified_layer_normalization(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(2));
  if (d.num_outputs > 1) return d.unsupported("its second output");
  d.results = {INGOT_TRY(m.add(Op::kRMSNormalization, {m.in(0), m.in(1)},
                               {{"axis", m.integer("axis", -1)}, {"epsilon", m.number("epsilon", 1e-5f)}}))};
  return {};
}

// (x, skip, scale, bias of the norm? (not simplified), bias?) -> y, -, -, x + skip + bias
Result<void> convert_skip_layer_normalization(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(3));
  const bool simplified = d.op_type.contains("Simplified");
  const ValueId bias = m.in(simplified ? 3 : 4);
  ValueId sum = INGOT_TRY(m.add(Op::kAdd, {m.in(0), m.in(1)}));
  if (bias != kNoValue) sum = INGOT_TRY(m.add(Op::kAdd, {sum, bias}));
  const Attributes epsilon{{"axis", int64_t{-1}}, {"epsilon", m.number("epsilon", 1e-12f)}};
  if (simplified) {
    d.results = {INGOT_TRY(m.add(Op::kRMSNormalization, {sum, m.in(2)}, epsilon)), kNoValue, kNoValue, sum};
    return {};
  }
  Node norm{
      .op = Op::kLayerNormalization, .name = d.node.name, .inputs = {sum, m.in(2), m.in(3)}, .attributes = epsilon};
  d.results = INGOT_TRY(d.builder.add_node(std::move(norm), {}, 3));
  d.results.push_back(sum);
  return {};
}

// (ids, segments?, words, positions, segment table?, scale, bias, mask?, position_ids?) -> y, mask lengths, sum
Result<void> convert_embed_layer_normalization(NodeDraft& d) {
  const MicrosoftDraft m{d};
  for (size_t i : {0, 2, 3, 5, 6})
    if (!m.has(i)) return d.fail("operand {} is missing", i);
  const ValueId ids = m.in(0);
  ValueId positions = m.in(8);
  if (positions == kNoValue) {
    const auto scalar = [&](int64_t v) {
      Tensor t = Tensor::allocate(DType::kI64, {});
      *t.mutable_as<int64_t>() = v;
      return d.builder.add_constant(d.node.name + "_value", std::move(t));
    };
    const ValueId length = INGOT_TRY(m.add(Op::kSqueeze, {INGOT_TRY(m.size_of(ids, 1))}));
    const ValueId range = INGOT_TRY(m.add(Op::kRange, {scalar(0), length, scalar(1)}));
    positions = INGOT_TRY(m.add(Op::kUnsqueeze, {range, d.int_list({0})}));
  }
  ValueId sum = INGOT_TRY(m.add(Op::kGather, {m.in(2), ids}));
  sum = INGOT_TRY(m.add(Op::kAdd, {sum, INGOT_TRY(m.add(Op::kGather, {m.in(3), positions}))}));
  if (m.has(1) && m.has(4)) sum = INGOT_TRY(m.add(Op::kAdd, {sum, INGOT_TRY(m.add(Op::kGather, {m.in(4), m.in(1)}))}));
  const ValueId y = INGOT_TRY(m.add(Op::kLayerNormalization, {sum, m.in(5), m.in(6)},
                                    {{"axis", int64_t{-1}}, {"epsilon", m.number("epsilon", 1e-12f)}}));
  d.results = {y, y, sum};
  if (d.num_outputs < 2) return {};
  const ValueId mask =
      m.has(7) ? m.in(7) : INGOT_TRY(m.add(Op::kMul, {INGOT_TRY(m.cast(ids, DType::kI64)), d.int_list({0})}));
  const ValueId lengths = INGOT_TRY(m.add(Op::kReduceSum, {mask, d.int_list({1})}, {{"keepdims", int64_t{0}}}));
  d.results[1] = INGOT_TRY(m.cast(lengths, DType::kI32));
  return {};
}

}  // namespace

Convert find_microsoft(std::string_view op_type) {
  static const std::unordered_map<std::string_view, Convert> map{
      {"Gelu", convert_gelu},
      {"BiasGelu", convert_gelu},
      {"FastGelu", convert_gelu},
      {"QuickGelu", convert_quick_gelu},
      {"FusedMatMul", convert_fused_matmul},
      {"FusedGemm", convert_fused_gemm},
      {"FusedConv", convert_fused_conv},
      {"NhwcConv", convert_nhwc},
      {"NhwcMaxPool", convert_nhwc},
      {"SimplifiedLayerNormalization", convert_simplified_layer_normalization},
      {"SkipLayerNormalization", convert_skip_layer_normalization},
      {"SkipSimplifiedLayerNormalization", convert_skip_layer_normalization},
      {"EmbedLayerNormalization", convert_embed_layer_normalization},
      {"Attention", convert_ms_attention},
      {"QAttention", convert_ms_qattention},
      {"MultiHeadAttention", convert_ms_multi_head_attention},
      {"GroupQueryAttention", convert_ms_group_query_attention},
      {"RotaryEmbedding", convert_ms_rotary_embedding},
      {"QLinearAdd", convert_ms_qlinear_binary},
      {"QLinearMul", convert_ms_qlinear_binary},
      {"QLinearSigmoid", convert_ms_qlinear_unary},
      {"QLinearLeakyRelu", convert_ms_qlinear_unary},
      {"QLinearSoftmax", convert_ms_qlinear_unary},
      {"QLinearAveragePool", convert_ms_qlinear_unary},
      {"QLinearGlobalAveragePool", convert_ms_qlinear_unary},
      {"QLinearReduceMean", convert_ms_qlinear_unary},
      {"QLinearConcat", convert_ms_qlinear_concat},
      {"DynamicQuantizeLSTM", convert_ms_dynamic_quantize_lstm},
      {"DynamicQuantizeMatMul", convert_ms_dynamic_quantize_matmul},
      {"MatMulIntegerToFloat", convert_ms_matmul_integer_to_float},
      {"QGemm", convert_ms_qgemm},
      {"MatMulNBits", convert_ms_matmul_nbits},
      {"GatherBlockQuantized", convert_ms_gather_block_quantized},
      {"QuantizeLinear", convert_ms_quantize},
      {"DequantizeLinear", convert_ms_quantize},
  };
  const auto it = map.find(op_type);
  return it == map.end() ? nullptr : it->second;
}

}  // namespace ingot::onnx
