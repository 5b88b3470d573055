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
    {"AffineGrid", "align_corners:i"},
    {"And Equal Greater Less Or Pow Xor", "axis:i broadcast:i"},
    {"ArgMax ArgMin", "axis:i keepdims:i select_last_index:i"},
    {"Attention",
     "is_causal:i kv_num_heads:i left_window_size:i q_num_heads:i qk_matmul_output_mode:i right_window_size:i scale:f "
     "softcap:f softmax_precision:i"},
    {"AveragePool", "auto_pad:s ceil_mode:i count_include_pad:i dilations:I kernel_shape:I pads:I strides:I"},
    {"BatchNormalization", "consumed_inputs:I epsilon:f is_test:i momentum:f spatial:i training_mode:i"},
    {"BitShift", "direction:s"},
    {"Cast", "round_mode:s saturate:i to:i to:s"},
    {"BlackmanWindow", "output_datatype:i periodic:i"},
    {"CastLike", "round_mode:s saturate:i"},
    {"CausalConvWithState", "activation:s"},
    {"Celu Swish ThresholdedRelu", "alpha:f"},
    {"CenterCropPad", "axes:I"},
    {"Clip", "consumed_inputs:I max:f min:f"},
    {"Col2Im", "dilations:I pads:I strides:I"},
    {"Compress Concat Flatten Gather GatherElements Hardmax LogSoftmax OneHot Scatter Softmax", "axis:i"},
    {"Constant",
     "sparse_value:p value:t value_float:f value_floats:F value_int:i value_ints:I value_string:s value_strings:S"},
    {"ConcatFromSequence", "axis:i new_axis:i"},
    {"ConstantOfShape", "value:t"},
    {"Conv ConvInteger", "auto_pad:s dilations:I group:i kernel_shape:I pads:I strides:I"},
    {"ConvTranspose", "auto_pad:s dilations:I group:i kernel_shape:I output_padding:I output_shape:I pads:I strides:I"},
    {"CumSum", "exclusive:i reverse:i"},
    {"DFT", "axis:i inverse:i onesided:i"},
    {"DeformConv", "dilations:I group:i kernel_shape:I offset_group:i pads:I strides:I"},
    {"DepthToSpace SpaceToDepth", "blocksize:i mode:s"},
    {"DequantizeLinear", "axis:i block_size:i output_dtype:i"},
    {"Dropout", "consumed_inputs:I is_test:i ratio:f seed:i"},
    {"Einsum", "equation:s"},
    {"Elu LeakyRelu", "alpha:f consumed_inputs:I"},
    {"EyeLike", "dtype:i k:i"},
    {"GRU",
     "activation_alpha:F activation_beta:F activations:S clip:f direction:s hidden_size:i layout:i output_sequence:i "
     "linear_before_reset:i"},
    {"GatherND", "batch_dims:i"},
    {"Gelu", "approximate:s"},
    {"Gemm", "alpha:f beta:f broadcast:i transA:i transB:i"},
    {"GlobalLpPool", "p:i"},
    {"GridSample", "align_corners:i mode:s padding_mode:s"},
    {"GroupNormalization", "epsilon:f num_groups:i stash_type:i"},
    {"HammingWindow", "output_datatype:i periodic:i"},
    {"HannWindow", "output_datatype:i periodic:i"},
    {"HardSigmoid", "alpha:f beta:f consumed_inputs:I"},
    {"If", "else_branch:g then_branch:g"},
    {"InstanceNormalization", "consumed_inputs:I epsilon:f"},
    {"IsInf", "detect_negative:i detect_positive:i"},
    {"LRN", "alpha:f beta:f bias:f size:i"},
    {"LSTM",
     "activation_alpha:F activation_beta:F activations:S clip:f direction:s hidden_size:i layout:i output_sequence:i "
     "input_forget:i"},
    {"LayerNormalization RMSNormalization", "axis:i epsilon:f stash_type:i"},
    {"LinearAttention", "chunk_size:i kv_num_heads:i q_num_heads:i scale:f update_rule:s"},
    {"LpNormalization", "axis:i p:i"},
    {"LpPool", "auto_pad:s ceil_mode:i dilations:I kernel_shape:I p:i pads:I strides:I"},
    {"MaxPool", "auto_pad:s ceil_mode:i dilations:I kernel_shape:I pads:I storage_order:i strides:I"},
    {"Loop SequenceMap", "body:g"},
    {"Optional", "type:T"},
    {"MaxRoiPool", "pooled_shape:I spatial_scale:f"},
    {"MaxUnpool", "kernel_shape:I pads:I strides:I"},
    {"MeanVarianceNormalization", "axes:I"},
    {"MelWeightMatrix", "output_datatype:i"},
    {"Mod", "fmod:i"},
    {"NonMaxSuppression", "center_point_box:i"},
    {"Pad", "mode:s paddings:I pads:I value:f"},
    {"QLinearConv", "auto_pad:s dilations:I group:i kernel_shape:I pads:I strides:I"},
    {"QuantizeLinear", "axis:i block_size:i output_dtype:i saturate:i"},
    {"RNN",
     "activation_alpha:F activation_beta:F activations:S clip:f direction:s hidden_size:i layout:i output_sequence:i"},
    {"ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
     "ReduceSumSquare",
     "axes:I keepdims:i noop_with_empty_axes:i"},
    {"Reshape", "allowzero:i consumed_inputs:I shape:I"},
    {"Resize",
     "antialias:i axes:I coordinate_transformation_mode:s cubic_coeff_a:f exclude_outside:i extrapolation_value:f "
     "keep_aspect_ratio_policy:s mode:s nearest_mode:s"},
    {"Scan",
     "body:g directions:I num_scan_inputs:i scan_input_axes:I scan_input_directions:I scan_output_axes:I "
     "scan_output_directions:I"},
    {"ReverseSequence", "batch_axis:i time_axis:i"},
    {"RoiAlign",
     "coordinate_transformation_mode:s mode:s output_height:i output_width:i sampling_ratio:i spatial_scale:f"},
    {"RotaryEmbedding", "interleaved:i num_heads:i rotary_embedding_dim:i"},
    {"STFT", "onesided:i"},
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
    {"SwiGLU", "alpha:f"},
    {"TensorScatter", "axis:i mode:s"},
    {"TopK", "axis:i k:i largest:i sorted:i"},
    {"Transpose", "perm:I"},
    {"Trilu", "upper:i"},
    {"Upsample", "height_scale:f mode:s scales:F width_scale:f"},
    // Losses, later opsets, training.
    {"NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss", "ignore_index:i reduction:s"},
    {"CumProd", "exclusive:i reverse:i"},
    {"BitCast", "to:i"},
    {"ai.onnx.preview.training.Momentum", "alpha:f beta:f mode:s norm_coefficient:f"},
    {"ai.onnx.preview.training.Adagrad", "decay_factor:f epsilon:f norm_coefficient:f"},
    {"ai.onnx.preview.training.Adam", "alpha:f beta:f epsilon:f norm_coefficient:f norm_coefficient_post:f"},
    {"ai.onnx.preview.training.Gradient", "xs:S y:s zs:S"},
    // Text.
    {"StringSplit", "delimiter:s maxsplit:i"},
    {"StringNormalizer", "case_change_action:s is_case_sensitive:i locale:s stopwords:S"},
    {"RegexFullMatch", "pattern:s"},
    {"TfIdfVectorizer",
     "max_gram_length:i max_skip_count:i min_gram_length:i mode:s ngram_counts:I ngram_indexes:I pool_int64s:I "
     "pool_strings:S weights:F"},
    {"com.microsoft.Tokenizer", "mark:i mincharnum:i pad_value:s separators:S tokenexp:s"},
    // Random numbers and images.
    {"Bernoulli", "dtype:i seed:f"},
    {"Multinomial", "dtype:i sample_size:i seed:f"},
    {"RandomNormal", "dtype:i mean:f scale:f seed:f shape:I"},
    {"RandomNormalLike", "dtype:i mean:f scale:f seed:f"},
    {"RandomUniform", "dtype:i high:f low:f seed:f shape:I"},
    {"RandomUniformLike", "dtype:i high:f low:f seed:f"},
    {"ImageDecoder", "pixel_format:s"},
    // ai.onnx.ml.
    {"ai.onnx.ml.CastMap", "cast_to:s map_form:s max_map:i"},
    {"ai.onnx.ml.DictVectorizer", "int64_vocabulary:I string_vocabulary:S"},
    {"ai.onnx.ml.ZipMap", "classlabels_int64s:I classlabels_strings:S"},
    {"ai.onnx.ml.Binarizer", "threshold:f"},
    {"ai.onnx.ml.CategoryMapper", "cats_int64s:I cats_strings:S default_int64:i default_string:s"},
    {"ai.onnx.ml.FeatureVectorizer", "inputdimensions:I"},
    {"ai.onnx.ml.Imputer",
     "imputed_value_floats:F imputed_value_int64s:I replaced_value_float:f replaced_value_int64:i"},
    {"ai.onnx.ml.LabelEncoder",
     "classes_strings:S default_float:f default_int64:i default_string:s default_tensor:t keys_floats:F keys_int64s:I "
     "keys_strings:S keys_tensor:t values_floats:F values_int64s:I values_strings:S values_tensor:t"},
    {"ai.onnx.ml.LinearClassifier",
     "classlabels_ints:I classlabels_strings:S coefficients:F intercepts:F multi_class:i post_transform:s"},
    {"ai.onnx.ml.LinearRegressor", "coefficients:F intercepts:F post_transform:s targets:i"},
    {"ai.onnx.ml.Normalizer", "norm:s"},
    {"ai.onnx.ml.OneHotEncoder", "cats_int64s:I cats_strings:S zeros:i"},
    {"ai.onnx.ml.SVMClassifier",
     "classlabels_ints:I classlabels_strings:S coefficients:F kernel_params:F kernel_type:s post_transform:s prob_a:F "
     "prob_b:F rho:F support_vectors:F vectors_per_class:I"},
    {"ai.onnx.ml.SVMRegressor",
     "coefficients:F kernel_params:F kernel_type:s n_supports:i n_targets:i one_class:i post_transform:s rho:F "
     "support_vectors:F"},
    {"ai.onnx.ml.Scaler", "offset:F scale:F"},
    {"ai.onnx.ml.TreeEnsemble",
     "aggregate_function:i leaf_targetids:I leaf_weights:t membership_values:t n_targets:i nodes_falseleafs:I "
     "nodes_falsenodeids:I nodes_featureids:I nodes_hitrates:t nodes_missing_value_tracks_true:I nodes_modes:t "
     "nodes_splits:t nodes_trueleafs:I nodes_truenodeids:I post_transform:i tree_roots:I"},
    {"ai.onnx.ml.TreeEnsembleClassifier",
     "base_values:F base_values_as_tensor:t class_ids:I class_nodeids:I class_treeids:I class_weights:F "
     "class_weights_as_tensor:t classlabels_int64s:I classlabels_strings:S nodes_falsenodeids:I nodes_featureids:I "
     "nodes_hitrates:F nodes_hitrates_as_tensor:t nodes_missing_value_tracks_true:I nodes_modes:S nodes_nodeids:I "
     "nodes_treeids:I nodes_truenodeids:I nodes_values:F nodes_values_as_tensor:t post_transform:s"},
    {"ai.onnx.ml.TreeEnsembleRegressor",
     "aggregate_function:s base_values:F base_values_as_tensor:t n_targets:i nodes_falsenodeids:I nodes_featureids:I "
     "nodes_hitrates:F nodes_hitrates_as_tensor:t nodes_missing_value_tracks_true:I nodes_modes:S nodes_nodeids:I "
     "nodes_treeids:I nodes_truenodeids:I nodes_values:F nodes_values_as_tensor:t post_transform:s target_ids:I "
     "target_nodeids:I target_treeids:I target_weights:F target_weights_as_tensor:t"},
    {"Unique", "axis:i sorted:i"},
    {"SimplifiedLayerNormalization com.microsoft.SimplifiedLayerNormalization", "axis:i epsilon:f stash_type:i"},
    {"ai.onnx.preview.FlexAttention", "prob_mod:g scale:f score_mod:g softmax_precision:i"},
    {"com.microsoft.Attention",
     "do_rotary:i mask_filter_value:f num_heads:i past_present_share_buffer:i qkv_hidden_sizes:I "
     "rotary_embedding_dim:i scale:f unidirectional:i"},
    {"com.microsoft.DequantizeLinear com.microsoft.QuantizeLinear", "axis:i block_size:i"},
    {"com.microsoft.DynamicQuantizeLSTM",
     "activation_alpha:F activation_beta:F activations:S clip:f direction:s hidden_size:i input_forget:i"},
    {"com.microsoft.EmbedLayerNormalization", "epsilon:f mask_index_type:i"},
    {"com.microsoft.FusedConv",
     "activation:s activation_params:F auto_pad:s dilations:I group:i kernel_shape:I pads:I strides:I"},
    {"com.microsoft.FusedGemm",
     "activation:s activation_alpha:f activation_beta:f activation_gamma:f alpha:f beta:f transA:i transB:i"},
    {"com.microsoft.FusedMatMul", "alpha:f transA:i transB:i transBatchA:i transBatchB:i"},
    {"com.microsoft.GatherBlockQuantized", "bits:i block_size:i gather_axis:i quantize_axis:i"},
    {"com.microsoft.GroupQueryAttention",
     "do_rotary:i k_quant_type:s kv_cache_bit_width:i kv_num_heads:i local_window_size:i num_heads:i "
     "qk_output:i rotary_interleaved:i scale:f sliding_window_cache:i smooth_softmax:i softcap:f v_quant_type:s"},
    {"com.microsoft.MatMulNBits", "K:i N:i accuracy_level:i bits:i block_size:i"},
    {"com.microsoft.MultiHeadAttention", "mask_filter_value:f num_heads:i scale:f unidirectional:i"},
    {"com.microsoft.NhwcConv", "auto_pad:s dilations:I group:i kernel_shape:I pads:I strides:I"},
    {"com.microsoft.NhwcMaxPool", "auto_pad:s ceil_mode:i dilations:I kernel_shape:I pads:I strides:I"},
    {"com.microsoft.QAttention",
     "do_rotary:i mask_filter_value:f num_heads:i past_present_share_buffer:i scale:f unidirectional:i"},
    {"com.microsoft.QGemm", "alpha:f transA:i transB:i"},
    {"com.microsoft.QLinearAveragePool",
     "auto_pad:s ceil_mode:i channels_last:i count_include_pad:i kernel_shape:I pads:I strides:I"},
    {"com.microsoft.QLinearConcat", "axis:i"},
    {"com.microsoft.QLinearGlobalAveragePool", "channels_last:i"},
    {"com.microsoft.QLinearLeakyRelu com.microsoft.QuickGelu", "alpha:f"},
    {"com.microsoft.QLinearReduceMean", "axes:I keepdims:i"},
    {"com.microsoft.QLinearSoftmax", "axis:i opset:i"},
    {"com.microsoft.RotaryEmbedding", "interleaved:i is_packed_batching:i num_heads:i rotary_embedding_dim:i scale:f"},
    {"com.microsoft.SkipLayerNormalization com.microsoft.SkipSimplifiedLayerNormalization", "epsilon:f"},
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
    case 'p': return Kind::SPARSE_TENSOR;
    default: return Kind::GRAPH;
  }
}

enum class Match { kUnknown, kWrongType, kYes };

Match match(std::string_view op, std::string_view attribute, Kind::Kind kind) {
  static const std::unordered_map<std::string_view, std::string_view> by_operator = [] {
    std::unordered_map<std::string_view, std::string_view> map;
    for (const Signature& s : kSignatures)
      for (const auto name : std::views::split(s.operators, ' ')) map[std::string_view(name)] = s.attributes;
    return map;
  }();
  const auto it = by_operator.find(op);
  Match found = Match::kUnknown;
  if (it == by_operator.end()) return found;
  for (const auto part : std::views::split(it->second, ' '))
    if (const std::string_view entry(part); entry.substr(0, entry.size() - 2) == attribute) {
      if (kind_of(entry.back()) == kind) return Match::kYes;
      found = Match::kWrongType;
    }
  return found;
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
    if (match(key, name, given.type()) == Match::kUnknown) return fail("is not known");
    const pb::AttributeDef* resolved = INGOT_TRY(resolve(given, expansion));
    if (!resolved) continue;  // left out by the call: the default holds
    const pb::AttributeDef& a = *resolved;
    if (match(key, name, a.type()) != Match::kYes) return fail("has the wrong type");
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
