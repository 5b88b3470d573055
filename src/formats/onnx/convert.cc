#include "formats/onnx/convert.h"

#include <cstring>
#include <unordered_map>

#include "formats/onnx/graph_builder.h"
#include "formats/onnx/operators/convert_microsoft.h"
#include "tensor/half.h"

namespace ingot::onnx {
namespace {

// Operators whose forms differ between opsets, or that have no op of their own name.
const std::unordered_map<std::string_view, Convert>& conversions() {
  static const std::unordered_map<std::string_view, Convert> map = [] {
    std::unordered_map<std::string_view, Convert> m{
        {"Attention", convert_attention},
        {"Cast", convert_cast},
        {"CastLike", convert_cast_like},
        {"Constant", convert_constant},
        {"EyeLike", convert_output_dtype},
        {"SequenceEmpty", convert_output_dtype},
        {"QuantizeLinear", convert_output_dtype},
        {"DequantizeLinear", convert_output_dtype},
        {"SwiGLU", convert_swiglu},
        {"ai.onnx.preview.FlexAttention", convert_fixed_attributes},  // flex_attention.cc
        {"DFT", convert_dft},
        {"GridSample", convert_grid_sample},
        {"RoiAlign", convert_roi_align},
        {"QLinearMatMul", convert_qlinear_matmul},
        {"QLinearConv", convert_qlinear_conv},
        {"MeanVarianceNormalization", convert_mean_variance_normalization},
        {"LpNormalization", convert_lp_normalization},
        {"GlobalLpPool", convert_global_lp_pool},
        {"Softmax", convert_softmax},
        {"LogSoftmax", convert_softmax},
        {"Hardmax", convert_softmax},
        {"Clip", convert_clip},
        {"Pad", convert_pad},
        {"Slice", convert_slice},
        {"Split", convert_split},
        {"TopK", convert_top_k},
        {"Dropout", convert_dropout},
        {"Resize", convert_resize},
        {"Upsample", convert_resize},
        {"BatchNormalization", convert_batch_normalization},
        {"GroupNormalization", convert_group_normalization},
        {"InstanceNormalization", convert_fixed_attributes},
        {"Gemm", convert_gemm},
        {"PRelu", convert_prelu},
        {"Reshape", convert_reshape},
        {"Concat", convert_concat},
        {"Selu", convert_selu},
        {"Tile", convert_tile},
        {"BitCast", convert_cast},
        {"ai.onnx.preview.training.Gradient", convert_gradient},
        {"StringNormalizer", convert_string_normalizer},
        {"ai.onnx.ml.CategoryMapper", convert_category_mapper},
        {"ai.onnx.ml.LabelEncoder", convert_label_encoder},
        {"ai.onnx.ml.LinearClassifier", convert_linear_classifier},
        {"ai.onnx.ml.SVMRegressor", convert_svm_regressor},
        {"ai.onnx.ml.Scaler", convert_scaler},
        {"ai.onnx.ml.ZipMap", convert_zip_map},
        {"ai.onnx.ml.TreeEnsemble", convert_tree_ensemble},
        {"ai.onnx.ml.TreeEnsembleClassifier", convert_tree_classifier},
        {"ai.onnx.ml.TreeEnsembleRegressor", convert_tree_regressor},
    };
    for (std::string_view name : {"HannWindow", "HammingWindow", "BlackmanWindow", "MelWeightMatrix"})
      m[name] = convert_output_datatype;
    for (std::string_view name : {"LSTM", "GRU", "RNN"}) m[name] = convert_recurrent;
    for (std::string_view name :
         {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"})
      m[name] = convert_random;
    for (std::string_view name : {"Squeeze", "Unsqueeze", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp",
                                  "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"})
      m[name] = convert_axes_attribute;
    for (std::string_view name : {"Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less"})
      m[name] = convert_old_broadcast;
    return m;
  }();
  return map;
}

}  // namespace

std::string operator_key(std::string_view domain, std::string_view op_type) {
  if (domain.empty() || domain == "ai.onnx")
    return op_type.contains('.') ? fmt::format("ai.onnx.{}", op_type) : std::string(op_type);
  return fmt::format("{}.{}", domain, op_type);
}

std::optional<OperatorEntry> find_operator(std::string_view key) {
  if (key.starts_with("ingot.")) return std::nullopt;  // Ingot's own ops are not ONNX operators
  constexpr std::string_view kMicrosoft = "com.microsoft.";
  if (key.starts_with(kMicrosoft) || key == "SimplifiedLayerNormalization") {
    const Convert convert = find_microsoft(key.starts_with(kMicrosoft) ? key.substr(kMicrosoft.size()) : key);
    if (convert) return OperatorEntry{std::nullopt, convert};
  }
  if (key == "Scatter") return OperatorEntry{Op::kScatterElements};
  const auto op = op_from_name(key);
  const auto it = conversions().find(key);
  if (it != conversions().end()) return OperatorEntry{op, it->second};
  if (!op) return std::nullopt;
  return OperatorEntry{op};
}

void NodeDraft::set_input(size_t i, ValueId v) {
  if (node.inputs.size() <= i) node.inputs.resize(i + 1, kNoValue);
  node.inputs[i] = v;
}

std::optional<Attribute> NodeDraft::take(std::string_view name) {
  const Attribute* a = node.attributes.find(name);
  if (!a) return std::nullopt;
  Attribute value = *a;
  node.attributes.erase(name);
  return value;
}

ValueId NodeDraft::int_list(const std::vector<int64_t>& values) {
  Tensor t = Tensor::allocate(DType::kI64, Shape{static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), t.mutable_as<int64_t>());
  return builder.add_constant(node.name + "_list", std::move(t));
}

ValueId NodeDraft::float_list(const std::vector<float>& values) {
  Tensor t = Tensor::allocate(DType::kF32, Shape{static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), t.mutable_as<float>());
  return builder.add_constant(node.name + "_list", std::move(t));
}

ValueId NodeDraft::scalar_like(ValueId like, float value) {
  const DType dtype = builder.graph().value(like).type.dtype;
  Tensor t =
      Tensor::allocate(dtype == DType::kF64 || dtype == DType::kF16 || dtype == DType::kBF16 ? dtype : DType::kF32, {});
  switch (t.dtype()) {
    case DType::kF64: *t.mutable_as<double>() = value; break;
    case DType::kF16: *t.mutable_as<uint16_t>() = float_to_half(value); break;
    case DType::kBF16: *t.mutable_as<uint16_t>() = float_to_bf16(value); break;
    default: *t.mutable_as<float>() = value; break;
  }
  return builder.add_constant(node.name + "_value", std::move(t));
}

Result<ValueId> NodeDraft::add(Op op, std::vector<ValueId> inputs, Attributes attributes) {
  Node helper{.op = op, .name = node.name, .inputs = std::move(inputs), .attributes = std::move(attributes)};
  return INGOT_TRY(builder.add_node(std::move(helper), {}, 1))[0];
}

// Before opset 13 (reductions: 18) the axes were an attribute. An absent list of Unsqueeze is an error of the model.
Result<void> convert_axes_attribute(NodeDraft& d) {
  const auto axes = d.take("axes");
  if (axes) {
    if (d.has_input(1)) return d.fail("has axes both as attribute and as operand");
    d.set_input(1, d.int_list(std::get<std::vector<int64_t>>(*axes)));
  }
  return {};
}

// Before opset 7 the second operand was fitted at `axis` of the first, by request.
Result<void> convert_old_broadcast(NodeDraft& d) {
  d.take("consumed_inputs");
  const auto broadcast = d.take("broadcast"), axis = d.take("axis");
  if (d.opset >= 7 && (broadcast || axis)) return d.fail("has broadcast or axis as attribute: gone since opset 7");
  if (!broadcast || !axis || d.node.inputs.size() < 2) return {};
  const Type &a = d.builder.known(d.node.inputs[0]).type, &b = d.builder.known(d.node.inputs[1]).type;
  if (!a.ranked() || !b.ranked()) return d.fail("broadcast along an axis of operands of unknown rank");
  const int64_t at = std::get<int64_t>(*axis) < 0 ? std::get<int64_t>(*axis) + a.rank() : std::get<int64_t>(*axis);
  const int64_t missing = a.rank() - at - b.rank();
  if (at < 0 || missing < 0) return d.fail("axis {} does not fit {} and {}", at, a.to_string(), b.to_string());
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < missing; ++i) axes.push_back(b.rank() + i);
  if (!axes.empty()) d.node.inputs[1] = INGOT_TRY(d.add(Op::kUnsqueeze, {d.node.inputs[1], d.int_list(axes)}));
  return {};
}

// Element types are numbers in the file and names in the graph.
namespace {
Result<std::string> dtype_attribute(NodeDraft& d, const Attribute& value) {
  const int64_t number = std::get<int64_t>(value);
  const auto dtype = number < 0 || number > INT32_MAX ? std::nullopt : dtype_of(static_cast<int32_t>(number));
  if (!dtype) return d.fail("element type {} is not known", number);
  return std::string(dtype_name(*dtype));
}
}  // namespace

Result<void> convert_cast(NodeDraft& d) {
  const auto to = d.take("to");
  if (!to) return d.fail("has no attribute 'to'");
  if (const auto* name = std::get_if<std::string>(&*to)) {
    const auto dtype = dtype_of_old_name(*name);
    if (!dtype) return d.fail("element type '{}' is not known", name->substr(0, 100));
    d.attributes().set("to", std::string(dtype_name(*dtype)));
    return {};
  }
  d.attributes().set("to", INGOT_TRY(dtype_attribute(d, *to)));
  return {};
}

Result<void> convert_cast_like(NodeDraft& d) {
  if (!d.has_input(0) || !d.has_input(1)) return d.fail("needs two operands");
  const DType to = d.builder.graph().value(d.node.inputs[1]).type.dtype;
  d.node.op = Op::kCast;
  d.node.inputs.resize(1);
  d.attributes().set("to", std::string(dtype_name(to)));
  return {};
}

Result<void> convert_output_dtype(NodeDraft& d) {
  for (std::string_view name : {"dtype", "output_dtype"}) {
    const auto value = d.take(name);
    if (value && std::get<int64_t>(*value) != 0)
      d.attributes().set(std::string(name), INGOT_TRY(dtype_attribute(d, *value)));
  }
  return {};
}

Result<void> convert_constant(NodeDraft& d) {
  const auto& map = d.attributes().map();
  if (map.size() != 1) return d.fail("needs one value, has {}", map.size());
  Tensor t;
  const auto& [name, value] = *map.begin();
  if (const Tensor* given = std::get_if<Tensor>(&value)) {
    t = *given;
  } else if (const float* f = std::get_if<float>(&value)) {
    t = Tensor::allocate(DType::kF32, {});
    *t.mutable_as<float>() = *f;
  } else if (const int64_t* i = std::get_if<int64_t>(&value)) {
    t = Tensor::allocate(DType::kI64, {});
    *t.mutable_as<int64_t>() = *i;
  } else if (const std::string* s = std::get_if<std::string>(&value)) {
    t = Tensor::allocate(DType::kString, {});
    *t.mutable_as<std::string>() = *s;
  } else {
    const auto copy = [&]<class T>(const std::vector<T>& list, DType dtype) {
      t = Tensor::allocate(dtype, Shape{static_cast<int64_t>(list.size())});
      std::copy(list.begin(), list.end(), t.mutable_as<T>());
    };
    if (const auto* fs = std::get_if<std::vector<float>>(&value)) copy(*fs, DType::kF32);
    if (const auto* is = std::get_if<std::vector<int64_t>>(&value)) copy(*is, DType::kI64);
    if (const auto* ss = std::get_if<std::vector<std::string>>(&value)) copy(*ss, DType::kString);
  }
  d.results = {d.builder.add_constant(d.node.name, std::move(t))};
  return {};
}

Result<void> convert_fixed_attributes(NodeDraft& d) {
  d.take("consumed_inputs");
  return {};
}

}  // namespace ingot::onnx
