// The graph: SSA values, nodes in topological order, inputs, states and outputs.
//
// Values are inputs, constants, states (memory of a session that stateful ops write: a KV cache) or outputs
// of nodes. Subgraphs (If, Loop) are closed: what they use from outside is passed as an operand of their node.
// Whether a graph came from a language model's file or from ONNX is not recorded and must not matter.
// Ownership: a graph owns its nodes, subgraphs and (shared) constants. Thread-safety: none while it changes.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "ir/attributes.h"
#include "ir/op.h"
#include "ir/type.h"

namespace ingot {

class Graph;

enum class ValueId : int32_t {};
enum class NodeId : int32_t {};
inline constexpr ValueId kNoValue{-1};  // an optional operand that is absent
inline constexpr NodeId kNoNode{-1};

enum class ValueKind { kInput, kConstant, kState, kNode };

struct Value {
  std::string name;  // unique in its graph
  Type type;
  ValueKind kind = ValueKind::kNode;
  NodeId producer = kNoNode;
  Tensor constant;           // kConstant only
  bool file_backed = false;  // kConstant only: the bytes are a read-only file map, whose pages may be dropped
};

struct Node {
  Op op;
  std::string name;  // for messages and profiles; need not be unique
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  Attributes attributes;
  std::vector<std::pair<std::string, std::shared_ptr<Graph>>> subgraphs;  // attribute name, graph

  const Graph* subgraph(std::string_view attribute) const;
};

class Graph {
 public:
  std::string name = "graph";

  ValueId add_input(std::string value_name, Type type);
  ValueId add_state(std::string value_name, Type type);
  ValueId add_constant(std::string value_name, Tensor tensor, bool file_backed = false);
  // Appends a node; its outputs get fresh values, types by shape inference.
  // Errors: kInvalidArgument from the inference, with the node's op and name.
  Result<NodeId> add_node(Op op, std::vector<ValueId> inputs, int num_outputs = 1, Attributes attributes = {},
                          std::string node_name = "");
  // The same for the common node with one output.
  Result<ValueId> add(Op op, std::vector<ValueId> inputs, Attributes attributes = {}, std::string node_name = "");
  // Appends a node as it is (its outputs are new values of given types); for importers and the parser.
  NodeId add_raw(Node node, std::span<const Type> output_types, std::span<const std::string> output_names);
  void add_output(ValueId v) { outputs_.push_back(v); }

  const Value& value(ValueId v) const { return values_[static_cast<size_t>(v)]; }
  Value& value(ValueId v) { return values_[static_cast<size_t>(v)]; }
  const Node& node(NodeId n) const { return nodes_[static_cast<size_t>(n)]; }
  Node& node(NodeId n) { return nodes_[static_cast<size_t>(n)]; }
  size_t num_values() const { return values_.size(); }

  const std::vector<NodeId>& order() const { return order_; }
  const std::vector<ValueId>& inputs() const { return inputs_; }
  const std::vector<ValueId>& states() const { return states_; }
  const std::vector<ValueId>& outputs() const { return outputs_; }
  std::vector<ValueId>& mutable_outputs() { return outputs_; }
  // Gives a value this name; another value that has it gets a new one.
  void claim_name(ValueId v, const std::string& value_name);
  ValueId find_value(std::string_view value_name) const;  // kNoValue if absent

  const Tensor* constant(ValueId v) const {
    return v != kNoValue && value(v).kind == ValueKind::kConstant ? &value(v).constant : nullptr;
  }
  // For each value, the nodes that read it (once per operand), in order. Outputs do not count.
  std::vector<std::vector<NodeId>> uses() const;
  bool is_output(ValueId v) const;

  // Every operand and output that is `from` becomes `to`.
  void replace_uses(ValueId from, ValueId to);
  void remove_node(NodeId n);
  // Restores topological order after nodes were appended out of place. Errors: kInvalidArgument on a cycle.
  Result<void> sort();
  // Drops nodes whose outputs nobody needs, and unused constants' bytes. Returns the nodes removed.
  int remove_dead();

 private:
  ValueId new_value(std::string value_name, Type type, ValueKind kind);

  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<NodeId> order_;
  std::vector<ValueId> inputs_, states_, outputs_;
  std::unordered_map<std::string, ValueId> by_name_;
};

// Checks what every pass must leave true: operands defined before use, operand and output counts as the schema
// says, unique names, caches that are states, and the recorded types equal to what inference gives. Dimensions of which
// one is unknown, or one a number and the other a symbol, pass: either side may know more.
// Errors: kInternal, naming node and rule.
Result<void> verify(const Graph& graph);

// The text form; print(parse(t)) == t. Constants of more than 16 elements print without their bytes; parse()
// takes those, by name, from `constants`, or fills zeros. Errors: kInvalidArgument with the line.
std::string print(const Graph& graph);
Result<Graph> parse_graph(std::string_view text, const Graph* constants = nullptr);
Result<Type> parse_type(std::string_view text);

// The same for a text whose large tensors are kept elsewhere (an engine file): `omitted` receives those that print()
// leaves out, attributes and subgraphs included, in the order of the text; `next` gives them back in that order.
std::string print(const Graph& graph, std::vector<const Tensor*>& omitted);
struct StoredConstant {
  Tensor tensor;
  bool file_backed = false;
};
Result<Graph> parse_graph(std::string_view text, const std::function<Result<StoredConstant>(const Type&)>& next);

}  // namespace ingot
