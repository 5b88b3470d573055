// Builds one Graph from a GraphProto; nested graphs (branches and bodies) recursively, functions in place of their
// calls.
//
// Nodes may come in any order. Types and known elements are followed while nodes are added, so shapes computed
// by the model (Shape -> Gather -> Concat -> Reshape) become symbols. A body's carried values have the types that all
// iterations agree on, found by building it again until they do.
// Ownership: borrowed protos must outlive it. Limits: kSubgraphDepthMax, ModelContext::nodes_imported_max.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include "formats/onnx/convert.h"
#include "formats/onnx/functions.h"
#include "ir/infer.h"

namespace ingot::onnx {

// What all graphs of one model share.
struct ModelContext {
  std::map<std::string, int64_t> opsets;  // domain ("" for the standard one) -> version
  TensorReader tensors;
  FunctionTable functions;
  std::map<std::string, std::string> symbols;  // dim_param -> unique identifier
  std::set<std::string> symbols_taken;
  int64_t nodes_imported = 0, nodes_imported_max = 0;  // bodies of loops count for each time they are built

  Dim symbol(const std::string& dim_param);
};

class GraphBuilder {
 public:
  explicit GraphBuilder(ModelContext& model) : model_(model) {}

  // The top level graph.
  Result<Graph> build(const pb::GraphDef& proto);

  // For conversions.
  Graph& graph() { return graph_; }
  ModelContext& model() { return model_; }
  ValueId add_constant(std::string name, Tensor tensor, bool file_backed = false);
  // Joins a node; output names may be shorter than the outputs. Errors: from inference.
  Result<std::vector<ValueId>> add_node(Node node, const std::vector<std::string>& output_names, size_t num_outputs);
  // The value that the file calls `name`, if it is made by what was added so far. Errors: kInvalidArgument.
  Result<ValueId> find_value(const std::string& name) const;
  // Counts nodes towards the model's limit. Errors: kResourceExhausted past it.
  Result<void> count_nodes(int64_t count, std::string_view cause);
  const InferredValue& known(ValueId v) const { return known_[static_cast<size_t>(v)]; }

 private:
  // A value of the enclosing graph that a nested graph reads.
  struct Capture {
    std::string name;
    InferredValue known;
    const Tensor* constant = nullptr;  // then no operand is needed
    bool absent = false;               // an input of a function that its call leaves out
  };
  // An input of a body.
  struct BodyInput {
    std::string name;
    Type type;
  };

  // Inside of the graph that `outer` builds.
  explicit GraphBuilder(const GraphBuilder& outer, std::nullptr_t)
      : model_(outer.model_), expansion_(outer.expansion_), depth_(outer.depth_ + 1) {}

  Result<void> add_inputs(const pb::GraphDef& proto);
  Result<void> add_initializers(const pb::GraphDef& proto);
  Result<void> add_nodes(const NodeList& nodes);
  Result<void> add_outputs(const pb::GraphDef& proto);
  Result<std::vector<int>> order_nodes(const NodeList& nodes) const;
  Result<void> import_node(const pb::NodeDef& proto);
  Result<void> import_operator(const pb::NodeDef& proto, const std::string& key);
  Result<void> define(const std::string& name, ValueId v, std::string_view what);
  void set_known(ValueId v, InferredValue known);
  int64_t opset_of(const std::string& domain) const;

  // A call of a function becomes the function's nodes (functions.cc).
  Result<void> import_call(const pb::NodeDef& proto, const pb::Function& function);
  Result<ValueId> result_of(const pb::NodeDef& call, const pb::Function& function, const std::string& name) const;

  // Nested graphs (nested.cc). Captures become their last inputs, in order, except constants.
  Result<Graph> build_nested(const pb::GraphDef& proto, const std::vector<BodyInput>& inputs,
                             const std::vector<Capture>& captures);
  Result<void> add_captures(const std::vector<Capture>& captures);
  Result<std::vector<Capture>> captures_of(const std::vector<const pb::GraphDef*>& graphs, NodeDraft& draft) const;
  void append_captures(const std::vector<Capture>& captures, NodeDraft& draft) const;
  Result<const pb::GraphDef*> body_of(const pb::NodeDef& proto, NodeDraft& draft) const;
  Result<void> import_subgraphs(const pb::NodeDef& proto, NodeDraft& draft);
  Result<void> import_if(const pb::NodeDef& proto, NodeDraft& draft);
  Result<void> import_loop(const pb::NodeDef& proto, NodeDraft& draft);
  Result<void> import_scan(const pb::NodeDef& proto, NodeDraft& draft);
  Result<void> import_scan_8(const pb::NodeDef& proto, NodeDraft& draft);
  Result<void> import_sequence_map(const pb::NodeDef& proto, NodeDraft& draft);
  // The body whose inputs [first, first + carried) are carried: their types widen until outputs
  // [first_output, …) have them too. unwrapped[i]: the body makes what the carried optional i holds.
  Result<Graph> build_carrying(const pb::GraphDef& body, std::vector<BodyInput> inputs, size_t first, size_t carried,
                               size_t first_output, const std::vector<Capture>& captures, NodeDraft& draft,
                               std::vector<bool>* unwrapped);
  Result<std::vector<int64_t>> scan_axes(NodeDraft& draft, std::string_view attribute, size_t count) const;
  // ai.onnx.preview.FlexAttention (flex_attention.cc).
  Result<void> import_flex_attention(const pb::NodeDef& proto, NodeDraft& draft);
  Result<ValueId> inline_graph(const pb::GraphDef& proto, ValueId x, NodeDraft& draft);
  // The value of a condition that is known before the graph runs.
  std::optional<bool> condition_of(ValueId v) const;

  ModelContext& model_;
  const Expansion* expansion_ = nullptr;  // the call whose function's nodes are being imported
  int depth_ = 0;
  Graph graph_;
  std::unordered_map<std::string, ValueId> scope_;
  std::vector<InferredValue> known_;  // per value of graph_
};

// Names that a graph uses and does not define itself, nested graphs included, in order of first use.
std::vector<std::string> free_names(const pb::GraphDef& graph);

}  // namespace ingot::onnx
