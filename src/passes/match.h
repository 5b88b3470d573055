// Finding patterns in a graph. A rewrite mutates the pattern's last node, whose output keeps its id and name;
// nodes that lose their readers are dropped when the pass ends. Ownership: borrows the graph.
#pragma once

#include <optional>

#include "ir/graph.h"

namespace ingot {

class Matcher {
 public:
  explicit Matcher(Graph& graph) : graph_(graph) { refresh(); }

  // After a rewrite.
  void refresh();

  Graph& graph() { return graph_; }
  const Graph& graph_view() const { return graph_; }
  // The node that makes v, if it has this op; otherwise null.
  const Node* producer(ValueId v, Op op) const;
  // v is read once, by a node, and is not an output: its producer may be absorbed.
  bool absorbable(ValueId v) const;
  // producer() of an absorbable value.
  const Node* absorbed(ValueId v, Op op) const { return absorbable(v) ? producer(v, op) : nullptr; }
  // The value of a float constant of one element.
  std::optional<double> scalar(ValueId v) const;
  bool is_scalar(ValueId v, double wanted, double tolerance = 1e-5) const;
  // An f32 constant, or null.
  const Tensor* f32(ValueId v) const;
  // The elements of a constant of i64 or i32.
  std::optional<std::vector<int64_t>> ints(ValueId v) const;
  // For a binary node, the operand that is not `v`.
  static ValueId other(const Node& n, ValueId v) { return n.inputs[0] == v ? n.inputs[1] : n.inputs[0]; }
  // Both ranked, all dimensions known to be equal.
  bool same_shape(ValueId a, ValueId b) const;

 private:
  Graph& graph_;
  std::vector<int> readers_;  // per value; graph outputs count as two
};

// Tries `rule` on every node of one output whose type `takes` accepts; true: one of them was rewritten.
using RewriteRule = bool (*)(Matcher& m, Node& n);
bool rewrite_nodes(Matcher& m, bool (*takes)(DType), RewriteRule rule);

// How a following activation is written in a fused op's attributes; nullopt if it is none (or not constant).
struct ActivationSpec {
  std::string name;
  float alpha = 0, beta = 0;
};
std::optional<ActivationSpec> activation_of(const Matcher& m, const Node& n, bool with_gelu);
void set_activation(Attributes& attributes, const ActivationSpec& spec);

}  // namespace ingot
