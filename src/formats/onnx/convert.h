// From an operator's form in the model's opset to the newest form, one small function per family.
//
// A conversion edits the node that is about to join the graph: moves attributes to operands, renames it, or
// replaces it by several nodes (then it fills `results`). Operators without an entry join as they are.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/onnx/tensors.h"
#include "ir/graph.h"

namespace ingot::onnx {

class GraphBuilder;

struct NodeDraft {
  GraphBuilder& builder;
  std::string_view op_type;      // operator_key() of the file's
  int64_t opset;                 // the version that the model imports of the operator's domain
  Node node;                     // op (if the vocabulary has op_type), name, inputs, attributes, subgraphs
  size_t num_outputs = 1;        // with trailing unused outputs dropped
  std::vector<ValueId> results;  // set by a conversion that made all nodes itself

  Attributes& attributes() { return node.attributes; }
  bool has_input(size_t i) const { return i < node.inputs.size() && node.inputs[i] != kNoValue; }
  // Sets operand i, filling what lies before with absent ones.
  void set_input(size_t i, ValueId v);
  // Takes an attribute out of the draft.
  std::optional<Attribute> take(std::string_view name);
  // Constant operands.
  ValueId int_list(const std::vector<int64_t>& values);
  ValueId float_list(const std::vector<float>& values);
  ValueId scalar_like(ValueId like, float value);
  // Adds a helper node before this one.
  Result<ValueId> add(Op op, std::vector<ValueId> inputs, Attributes attributes = {});

  template <class... Args>
  std::unexpected<Status> fail(fmt::format_string<Args...> format, Args&&... args) const {
    return invalid("[onnx] {} '{}': {}", op_type, node.name, fmt::format(format, std::forward<Args>(args)...));
  }
  std::unexpected<Status> unsupported(std::string_view what) const {
    return unimplemented("[onnx] {} '{}': {} is not supported", op_type, node.name, what);
  }
};

using Convert = Result<void> (*)(NodeDraft&);

// What import knows of an operator: nullptr convert = the newest form is the only one that matters.
struct OperatorEntry {
  std::optional<Op> op;  // nullopt: only the conversion knows (Constant, Dropout, Upsample, …)
  Convert convert = nullptr;
};
// "Conv" for the standard domain, "ai.onnx.ml.Scaler" for others: the name in ops.def, in the conversions and in the
// list of attributes.
std::string operator_key(std::string_view domain, std::string_view op_type);
// nullopt for an operator that is not built.
std::optional<OperatorEntry> find_operator(std::string_view key);

// The conversions.
Result<void> convert_axes_attribute(NodeDraft&);  // Squeeze, Unsqueeze, Reduce*
Result<void> convert_old_broadcast(NodeDraft&);   // arithmetic and logic before opset 7
Result<void> convert_cast(NodeDraft&);
Result<void> convert_cast_like(NodeDraft&);
Result<void> convert_constant(NodeDraft&);
Result<void> convert_output_dtype(NodeDraft&);  // EyeLike, QuantizeLinear, DequantizeLinear
Result<void> convert_softmax(NodeDraft&);       // Softmax, LogSoftmax, Hardmax
Result<void> convert_clip(NodeDraft&);
Result<void> convert_pad(NodeDraft&);
Result<void> convert_slice(NodeDraft&);
Result<void> convert_split(NodeDraft&);
Result<void> convert_top_k(NodeDraft&);
Result<void> convert_dropout(NodeDraft&);
Result<void> convert_resize(NodeDraft&);  // Resize, Upsample
Result<void> convert_batch_normalization(NodeDraft&);
Result<void> convert_group_normalization(NodeDraft&);
Result<void> convert_gemm(NodeDraft&);
Result<void> convert_prelu(NodeDraft&);
Result<void> convert_reshape(NodeDraft&);
Result<void> convert_concat(NodeDraft&);
Result<void> convert_selu(NodeDraft&);
Result<void> convert_tile(NodeDraft&);
Result<void> convert_batch_normalization_of_elements(NodeDraft&);  // BatchNormalization with spatial = 0
// The element type that opset 5 named in words; nullopt if there is none.
std::optional<DType> dtype_of_old_name(std::string_view name);
Result<void> convert_gradient(NodeDraft&);
Result<void> convert_random(NodeDraft&);
Result<void> convert_string_normalizer(NodeDraft&);
Result<void> convert_category_mapper(NodeDraft&);
Result<void> convert_label_encoder(NodeDraft&);
Result<void> convert_linear_classifier(NodeDraft&);
Result<void> convert_svm_regressor(NodeDraft&);
Result<void> convert_scaler(NodeDraft&);
Result<void> convert_zip_map(NodeDraft&);
Result<void> convert_tree_ensemble(NodeDraft&);
Result<void> convert_tree_classifier(NodeDraft&);
Result<void> convert_tree_regressor(NodeDraft&);
Result<void> convert_fixed_attributes(NodeDraft&);  // drops attributes that say nothing

}  // namespace ingot::onnx
