#include "formats/onnx/attributes.h"

#include <optional>
#include <ranges>
#include <unordered_map>

#include "formats/onnx/convert.h"
#include "formats/onnx/types.h"

namespace ingot::onnx {
namespace {

using Kind = pb::AttributeDef;

// By operator (its operator_key()), "name:type" of every attribute that one of its versions has and that we follow or
// that says nothing at inference. i, f, s: an integer, a float, a string; I, F, S: lists of them; t: a tensor; g: a
// graph.
struct Signature {
  std::string_view operators, attributes;
};
constexpr Signature kSignatures[] = {
    {"Abs Ceil Exp Floor Log Max Mean Min Neg PRelu Reciprocal Relu Sigmoid Sqrt Sum Tanh", "consumed_inputs:I"},
    {"Add Div Mul Sub", "axis:i broadcast:i consumed_inputs:I"},
    {"And Equal Greater Less Or Pow Xor", "axis:i broadcast:i"},
    {"ArgMax ArgMin", "axis:i keepdims:i select_last_index:i"},
    {"AveragePool", "auto_pad:s ceil_mode:i count_include_pad:i dilations:I kernel_shape:I pads:I strides:I"},
    {"BatchNormalization", "consumed_inputs:I epsilon:f is_test:i momentum:f spatial:i training_mode:i"},
    {"BitShift", "direction:s"},
    {"Cast", "round_mode:s saturate:i to:i"},
    {"CastLike", "round_mode:s saturate:i"},
    {"Celu Swish ThresholdedRelu", "alpha:f"},
    {"Clip", "consumed_inputs:I max:f min:f"},
    {"Compress Concat Flatten Gather GatherElements Hardmax LogSoftmax OneHot Scatter Softmax", "axis:i"},
    {"Constant",
     "sparse_value:t value:t value_float:f value_floats:F value_int:i value_ints:I value_string:s value_strings:S"},
    {"ConcatFromSequence", "axis:i new_axis:i"},
    {"ConstantOfShape", "value:t"},
    {"Conv ConvInteger", "auto_pad:s dilations:I group:i kernel_shape:I pads:I strides:I"},
    {"ConvTranspose", "auto_pad:s dilations:I group:i kernel_shape:I output_padding:I output_shape:I pads:I strides:I"},
    {"CumSum", "exclusive:i reverse:i"},
    {"DepthToSpace SpaceToDepth", "blocksize:i mode:s"},
    {"DequantizeLinear", "axis:i block_size:i output_dtype:i"},
    {"Dropout", "consumed_inputs:I is_test:i ratio:f seed:i"},
    {"Einsum", "equation:s"},
    {"Elu LeakyRelu", "alpha:f consumed_inputs:I"},
    {"EyeLike", "dtype:i k:i"},
    {"GatherND", "batch_dims:i"},
    {"Gelu", "approximate:s"},
    {"Gemm", "alpha:f beta:f broadcast:i transA:i transB:i"},
    {"GroupNormalization", "epsilon:f num_groups:i stash_type:i"},
    {"HardSigmoid", "alpha:f beta:f consumed_inputs:I"},
    {"If", "else_branch:g then_branch:g"},
    {"InstanceNormalization", "consumed_inputs:I epsilon:f"},
    {"IsInf", "detect_negative:i detect_positive:i"},
    {"LRN", "alpha:f beta:f bias:f size:i"},
    {"LayerNormalization RMSNormalization", "axis:i epsilon:f stash_type:i"},
    {"MaxPool", "auto_pad:s ceil_mode:i dilations:I kernel_shape:I pads:I storage_order:i strides:I"},
    {"Loop SequenceMap", "body:g"},
    {"Mod", "fmod:i"},
    {"Optional", "type:T"},
    {"Pad", "mode:s paddings:I pads:I value:f"},
    {"QuantizeLinear", "axis:i block_size:i output_dtype:i saturate:i"},
    {"ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
     "ReduceSumSquare",
     "axes:I keepdims:i noop_with_empty_axes:i"},
    {"Reshape", "allowzero:i consumed_inputs:I"},
    {"Resize",
     "antialias:i axes:I coordinate_transformation_mode:s cubic_coeff_a:f exclude_outside:i extrapolation_value:f "
     "keep_aspect_ratio_policy:s mode:s nearest_mode:s"},
    {"Scan",
     "body:g directions:I num_scan_inputs:i scan_input_axes:I scan_input_directions:I scan_output_axes:I "
     "scan_output_directions:I"},
    {"ScatterElements", "axis:i reduction:s"},
    {"ScatterND", "reduction:s"},
    {"Selu", "alpha:f consumed_inputs:I gamma:f"},
    {"SequenceEmpty", "dtype:i"},
    {"Shape", "end:i start:i"},
    {"Shrink", "bias:f lambd:f"},
    {"Slice", "axes:I ends:I starts:I"},
    {"Split", "axis:i num_outputs:i split:I"},
    {"SplitToSequence", "axis:i keepdims:i"},
    {"Squeeze Unsqueeze", "axes:I"},
    {"TopK", "axis:i k:i largest:i sorted:i"},
    {"Transpose", "perm:I"},
    {"Trilu", "upper:i"},
    {"Upsample", "mode:s scales:F"},
};

Kind::Kind kind_of(char letter) {
  switch (letter) {
    case 'i': return Kind::INT;
    case 'f': return Kind::FLOAT;
    case 's': return Kind::STRING;
    case 'I': return Kind::INTS;
    case 'F': return Kind::FLOATS;
    case 'S': return Kind::STRINGS;
    case 't': return Kind::TENSOR;
    case 'T': return Kind::TYPE_PROTO;
    default: return Kind::GRAPH;
  }
}

std::optional<Kind::Kind> find_kind(std::string_view op, std::string_view attribute) {
  static const std::unordered_map<std::string_view, std::string_view> by_operator = [] {
    std::unordered_map<std::string_view, std::string_view> map;
    for (const Signature& s : kSignatures)
      for (const auto name : std::views::split(s.operators, ' ')) map[std::string_view(name)] = s.attributes;
    return map;
  }();
  const auto it = by_operator.find(op);
  if (it == by_operator.end()) return std::nullopt;
  for (const auto part : std::views::split(it->second, ' '))
    if (const std::string_view entry(part); entry.substr(0, entry.size() - 2) == attribute)
      return kind_of(entry.back());
  return std::nullopt;
}

}  // namespace

Result<Attributes> read_attributes(const pb::NodeDef& node, const Expansion* expansion, TensorReader& tensors) {
  Attributes out;
  const std::string key = operator_key(node.domain(), node.op_type());
  for (const pb::AttributeDef& given : node.attribute()) {
    const std::string& name = given.name();
    const auto fail = [&](std::string_view what) {
      return invalid("[onnx] {} '{}': attribute '{}' {}", node.op_type(), node.name(), name.substr(0, 100), what);
    };
    const auto kind = find_kind(key, name);
    if (!kind) return fail("is not known");
    const pb::AttributeDef* resolved = INGOT_TRY(resolve(given, expansion));
    if (!resolved) continue;  // left out by the call: the default holds
    const pb::AttributeDef& a = *resolved;
    if (a.type() != *kind && !(*kind == Kind::TENSOR && a.type() == Kind::SPARSE_TENSOR))
      return fail("has the wrong type");
    if (a.type() == Kind::GRAPH) continue;
    if (out.has(name)) return fail("is given twice");
    switch (a.type()) {
      case Kind::INT: out.set(name, a.i()); break;
      case Kind::FLOAT: out.set(name, a.f()); break;
      case Kind::STRING: out.set(name, a.s()); break;
      case Kind::INTS: out.set(name, std::vector<int64_t>(a.ints().begin(), a.ints().end())); break;
      case Kind::FLOATS: out.set(name, std::vector<float>(a.floats().begin(), a.floats().end())); break;
      case Kind::STRINGS: out.set(name, std::vector<std::string>(a.strings().begin(), a.strings().end())); break;
      case Kind::TYPE_PROTO: {
        const auto unknown = [](int, const std::string&) { return Dim::unknown(); };
        out.set(name, INGOT_TRY(type_of(a.tp(), node.name(), unknown)).to_string());
        break;
      }
      case Kind::SPARSE_TENSOR: out.set(name, INGOT_TRY(tensors.read_sparse(a.sparse_tensor()))); break;
      default: {
        bool file_backed = false;
        out.set(name, INGOT_TRY(tensors.read(a.t(), &file_backed)));
      }
    }
  }
  return out;
}

}  // namespace ingot::onnx
