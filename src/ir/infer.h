// Shape and type inference: one function per op (named in ops.def), used twice.
//
// On symbolic types when a graph is built, and on concrete shapes when a plan is bound to inputs. Small
// integer tensors that feed shapes (Shape -> Gather -> Concat -> Reshape) are followed by value as well: an
// inference may read an operand's elements and state its outputs', as Dims.
// Thread-safety: pure functions of the context.
#pragma once

#include <span>
#include <vector>

#include "ir/graph.h"

namespace ingot {

// Elements of an integer tensor of rank 0 or 1 that are known before the graph runs.
using KnownElements = std::optional<Dims>;
inline constexpr size_t kKnownElementsMax = 1024;

// What inference knows of one operand or result.
struct InferredValue {
  Type type;
  KnownElements elements;
  const Tensor* constant = nullptr;  // operands only
};

class InferContext {
 public:
  InferContext(const Node& node, std::span<const InferredValue> inputs, std::span<InferredValue> outputs)
      : node_(node), inputs_(inputs), outputs_(outputs) {}

  const Node& node() const { return node_; }
  const Attributes& attributes() const { return node_.attributes; }
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  int num_outputs() const { return static_cast<int>(outputs_.size()); }
  bool has_input(int i) const { return i < num_inputs() && node_.inputs[static_cast<size_t>(i)] != kNoValue; }
  const Type& type(int i) const { return inputs_[static_cast<size_t>(i)].type; }
  bool ranked(int i) const { return type(i).ranked(); }
  const Dims& dims(int i) const { return *type(i).dims; }
  int rank(int i) const { return type(i).rank(); }
  // Elements of operand i if they are known: from a constant (any integer type, up to 1,024) or followed by value.
  KnownElements elements(int i) const;
  const Tensor* constant(int i) const { return has_input(i) ? inputs_[static_cast<size_t>(i)].constant : nullptr; }

  const Type& output_type(int i) const { return outputs_[static_cast<size_t>(i)].type; }
  void set(int i, Type type) { outputs_[static_cast<size_t>(i)].type = std::move(type); }
  void set(int i, DType dtype, Dims dims) { set(i, Type::of(dtype, std::move(dims))); }
  void set_unranked(int i, DType dtype) { set(i, Type{dtype, std::nullopt}); }
  // Lists longer than kKnownElementsMax are not followed.
  void set_elements(int i, Dims elements) {
    if (elements.size() <= kKnownElementsMax) outputs_[static_cast<size_t>(i)].elements = std::move(elements);
  }

  // kInvalidArgument: "[ir] Op 'name': …"
  template <class... Args>
  std::unexpected<Status> fail(fmt::format_string<Args...> format, Args&&... args) const {
    return invalid("[ir] {} '{}': {}", op_name(node_.op), node_.name, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  const Node& node_;
  std::span<const InferredValue> inputs_;
  std::span<InferredValue> outputs_;
};

// Runs the op's inference, after checking operand and output counts against the schema and attributes against
// attributes.def. Outputs are then sane: see Type::find_problem().
Result<void> infer_node(InferContext& context);
// The output types of a node about to join `graph`.
Result<std::vector<Type>> infer_types(const Graph& graph, const Node& node, int num_outputs);
// Follows types and known elements through a whole graph: results[value].
// `inputs` gives the types of the graph's inputs (and their elements, where known), in order; `states` those of
// its states, or is empty: then they are as declared.
Result<std::vector<InferredValue>> infer_graph(const Graph& graph, std::span<const InferredValue> inputs,
                                               std::span<const InferredValue> states = {});

// NumPy broadcasting of two shapes. Errors: kInvalidArgument.
Result<Dims> broadcast(const Dims& a, const Dims& b);
// A possibly negative axis as [0, rank). Errors: kInvalidArgument.
Result<int> normalize_axis(int64_t axis, int rank);

// The type that a subgraph's input `i` gets from its node's operand number subgraph_operand(): a slice of what Scan
// goes through, an element of a sequence, or the operand's own. nullopt if there is no such operand.
std::optional<Type> subgraph_input(const Node& node, const std::vector<const Type*>& operands, size_t i);

// Checks of an operand, which may be missing. Errors: kInvalidArgument, in the node's name.
Result<void> require_index(InferContext&, int i);       // i32 or i64: what kernels read indices and sizes as
Result<void> require_index_list(InferContext&, int i);  // the same, rank 0 or 1, up to kKnownElementsMax elements
Result<void> require_dtype(InferContext&, int i, DType dtype);
Result<void> require_elements(InferContext&, int i, int64_t count);
// Operand i broadcasts to `to` without enlarging it.
Result<void> require_broadcasts_to(InferContext&, int i, const Dims& to);

// The inference functions, one per distinct behavior.
Result<void> infer_same(InferContext&);        // output 0 has input 0's type
Result<void> infer_same_axis(InferContext&);   // infer_same of an op with an axis, -1 if not given
Result<void> infer_identity(InferContext&);    // infer_same, elements too
Result<void> infer_arithmetic(InferContext&);  // broadcast, elements too
Result<void> infer_reshape(InferContext&);
Result<void> infer_matmul(InferContext&);
Result<void> infer_gather(InferContext&);
Result<void> infer_split(InferContext&);
Result<void> infer_layer_normalization(InferContext&);
Result<void> infer_if(InferContext&);
Result<void> infer_loop(InferContext&);
Result<void> infer_scan(InferContext&);
Result<void> infer_sequence_map(InferContext&);
Result<void> infer_sequence_empty(InferContext&);
Result<void> infer_sequence_construct(InferContext&);
Result<void> infer_sequence_insert(InferContext&);
Result<void> infer_sequence_erase(InferContext&);
Result<void> infer_sequence_at(InferContext&);
Result<void> infer_sequence_length(InferContext&);
Result<void> infer_split_to_sequence(InferContext&);
Result<void> infer_concat_from_sequence(InferContext&);
Result<void> infer_optional(InferContext&);
Result<void> infer_optional_has_element(InferContext&);
Result<void> infer_optional_get_element(InferContext&);
Result<void> infer_pow(InferContext&);
Result<void> infer_variadic(InferContext&);
Result<void> infer_compare(InferContext&);
Result<void> infer_not(InferContext&);
Result<void> infer_is(InferContext&);
Result<void> infer_where(InferContext&);
Result<void> infer_clip(InferContext&);
Result<void> infer_prelu(InferContext&);
Result<void> infer_cast(InferContext&);
Result<void> infer_flatten(InferContext&);
Result<void> infer_squeeze(InferContext&);
Result<void> infer_unsqueeze(InferContext&);
Result<void> infer_concat(InferContext&);
Result<void> infer_slice(InferContext&);
Result<void> infer_transpose(InferContext&);
Result<void> infer_expand(InferContext&);
Result<void> infer_tile(InferContext&);
Result<void> infer_pad(InferContext&);
Result<void> infer_gather_elements(InferContext&);
Result<void> infer_gather_nd(InferContext&);
Result<void> infer_depth_to_space(InferContext&);
Result<void> infer_space_to_depth(InferContext&);
Result<void> infer_compress(InferContext&);
Result<void> infer_scatter(InferContext&);
Result<void> infer_trilu(InferContext&);
Result<void> infer_shape(InferContext&);
Result<void> infer_size(InferContext&);
Result<void> infer_constant_of_shape(InferContext&);
Result<void> infer_range(InferContext&);
Result<void> infer_one_hot(InferContext&);
Result<void> infer_eye_like(InferContext&);
Result<void> infer_non_zero(InferContext&);
Result<void> infer_reduce(InferContext&);
Result<void> infer_arg_reduce(InferContext&);
Result<void> infer_top_k(InferContext&);
Result<void> infer_gemm(InferContext&);
Result<void> infer_einsum(InferContext&);
Result<void> infer_matmul_integer(InferContext&);
Result<void> infer_fused_matmul(InferContext&);
Result<void> infer_conv(InferContext&);
Result<void> infer_conv_transpose(InferContext&);
Result<void> infer_pool(InferContext&);
Result<void> infer_global_pool(InferContext&);
Result<void> infer_resize(InferContext&);
Result<void> infer_quantize(InferContext&);
Result<void> infer_dequantize(InferContext&);
Result<void> infer_dynamic_quantize(InferContext&);
Result<void> infer_nll_loss(InferContext&);
Result<void> infer_cross_entropy_loss(InferContext&);
Result<void> infer_bit_cast(InferContext&);
Result<void> infer_optimizer(InferContext&);
Result<void> infer_string_concat(InferContext&);
Result<void> infer_string_split(InferContext&);
Result<void> infer_string_normalizer(InferContext&);
Result<void> infer_regex_full_match(InferContext&);
Result<void> infer_tf_idf_vectorizer(InferContext&);
Result<void> infer_array_feature_extractor(InferContext&);
Result<void> infer_feature_vectorizer(InferContext&);
Result<void> infer_imputer(InferContext&);
Result<void> infer_label_encoder(InferContext&);
Result<void> infer_normalizer(InferContext&);
Result<void> infer_one_hot_encoder(InferContext&);
Result<void> infer_scaler(InferContext&);
Result<void> infer_linear_classifier(InferContext&);
Result<void> infer_linear_regressor(InferContext&);
Result<void> infer_svm_classifier(InferContext&);
Result<void> infer_svm_regressor(InferContext&);
Result<void> infer_trees(InferContext&);
Result<void> infer_tree_classifier(InferContext&);
Result<void> infer_random(InferContext&);
Result<void> infer_random_like(InferContext&);
Result<void> infer_multinomial(InferContext&);
Result<void> infer_tokenizer(InferContext&);
Result<void> infer_zip_map(InferContext&);
Result<void> infer_image_decoder(InferContext&);
Result<void> infer_embedding(InferContext&);
Result<void> infer_linear(InferContext&);
Result<void> infer_gated_activation(InferContext&);
Result<void> infer_rope_table(InferContext&);
Result<void> infer_rms_norm(InferContext&);
Result<void> infer_rope(InferContext&);
Result<void> infer_activation(InferContext&);
Result<void> infer_softcap(InferContext&);
Result<void> infer_paged_attention(InferContext&);
Result<void> infer_moe(InferContext&);

}  // namespace ingot
