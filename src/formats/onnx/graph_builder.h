// Builds one Graph from a GraphProto; nested graphs (the branches of If) recursively.
//
// Nodes may come in any order. Types and known elements are followed while nodes are added, so shapes computed
// by the model (Shape -> Gather -> Concat -> Reshape) become symbols. Ownership: borrowed protos must outlive it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include "formats/onnx/convert.h"
#include "ir/infer.h"

namespace ingot::onnx {

// What all graphs of one model share.
struct ModelContext {
  std::map<std::string, int64_t> opsets;  // domain ("" for the standard one) -> version
  TensorReader tensors;
  std::map<std::string, std::string> symbols;  // dim_param -> unique identifier
  std::set<std::string> symbols_taken;

  Dim symbol(const std::string& dim_param);
  // The imported version of a domain; 0 if the model names none.
  int64_t opset(const std::string& domain) const {
    const auto it = opsets.find(domain == "ai.onnx" ? "" : domain);
    return it == opsets.end() ? 0 : it->second;
  }
};

class GraphBuilder {
 public:
  explicit GraphBuilder(ModelContext& model) : model_(model) {}

  // A value of the enclosing graph that a nested graph reads.
  struct Capture {
    std::string name;
    InferredValue known;
    const Tensor* constant;  // then no operand is needed
  };

  // The top level graph.
  Result<Graph> build(const pb::GraphDef& proto);
  // A branch of If: `captures` become its inputs, in order, except constants.
  Result<Graph> build_branch(const pb::GraphDef& proto, const std::vector<Capture>& captures);

  // For conversions.
  Graph& graph() { return graph_; }
  ModelContext& model() { return model_; }
  ValueId add_constant(std::string name, Tensor tensor, bool file_backed = false);
  // Joins a node; output names may be shorter than the outputs. Errors: from inference.
  Result<std::vector<ValueId>> add_node(Node node, const std::vector<std::string>& output_names, size_t num_outputs);
  // The value that the file calls `name`, if it is made by what was added so far. Errors: kInvalidArgument.
  Result<ValueId> find_value(const std::string& name) const;
  const InferredValue& known(ValueId v) const { return known_[static_cast<size_t>(v)]; }

 private:
  Result<void> add_inputs(const pb::GraphDef& proto);
  Result<void> add_initializers(const pb::GraphDef& proto);
  Result<void> add_nodes(const pb::GraphDef& proto);
  Result<void> add_outputs(const pb::GraphDef& proto);
  Result<std::vector<int>> order_nodes(const pb::GraphDef& proto) const;
  Result<void> import_node(const pb::NodeDef& proto);
  Result<void> import_branches(const pb::NodeDef& proto, NodeDraft& draft);
  // The value of a condition that is known before the graph runs.
  std::optional<bool> condition_of(ValueId v) const;
  Result<void> define(const std::string& name, ValueId v, std::string_view what);
  void set_known(ValueId v, InferredValue known);

  ModelContext& model_;
  Graph graph_;
  std::unordered_map<std::string, ValueId> scope_;
  std::vector<InferredValue> known_;  // per value of graph_
};

// Names that a graph uses and does not define itself, nested graphs included, in order of first use.
std::vector<std::string> free_names(const pb::GraphDef& graph);

// The type that a ValueInfo declares. Errors: not a tensor, an unknown element type.
Result<Type> type_of(const pb::ValueInfo& info, ModelContext& model);

}  // namespace ingot::onnx
