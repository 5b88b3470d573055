// One form for what exporters write in several, so that later passes and kernels know few.
#include <cmath>

#include "passes/match.h"
#include "passes/pipeline.h"

namespace ingot {
namespace {

// Sum, Max, Min, Mean of one operand -> Identity; Sum of two -> Add.
bool simplify_variadic(Node& n) {
  if (n.op != Op::kSum && n.op != Op::kMax && n.op != Op::kMin && n.op != Op::kMean) return false;
  if (n.inputs.size() == 1)
    n.op = Op::kIdentity;
  else if (n.op == Op::kSum && n.inputs.size() == 2)
    n.op = Op::kAdd;
  else
    return false;
  return true;
}

// Pow(x, 2) -> Mul(x, x); a rank of the exponent above the base's would widen the result. Pow(x, 0.5) is not Sqrt(x):
// of -inf and -0 it is inf and 0.
bool simplify_pow(const Matcher& m, const Graph& g, Node& n) {
  if (n.op != Op::kPow || !is_float(g.value(n.inputs[0]).type.dtype)) return false;
  const Type &base = g.value(n.inputs[0]).type, &exponent = g.value(n.inputs[1]).type;
  if (!base.ranked() || !exponent.ranked() || exponent.rank() > base.rank()) return false;
  if (!m.is_scalar(n.inputs[1], 2, 0)) return false;
  n.op = Op::kMul;
  n.inputs[1] = n.inputs[0];
  return true;
}

// x * Sigmoid(x) -> Swish(x); x * HardSigmoid(x; 1/6, 1/2) -> HardSwish(x).
bool join_gate(const Matcher& m, Node& n) {
  if (n.op != Op::kMul) return false;
  for (size_t i : {0, 1}) {
    if (!m.same_shape(n.inputs[i], n.outputs[0])) continue;
    const ValueId x = n.inputs[i], gate = n.inputs[1 - i];
    const Node* sigmoid = m.absorbed(gate, Op::kSigmoid);
    const Node* hard = m.absorbed(gate, Op::kHardSigmoid);
    if (sigmoid && sigmoid->inputs[0] == x) {
      n.op = Op::kSwish;
    } else if (hard && hard->inputs[0] == x &&
               std::fabs(hard->attributes.get_float("alpha", 0.2f) - 1.0f / 6) < 1e-6f &&
               std::fabs(hard->attributes.get_float("beta", 0.5f) - 0.5f) < 1e-6f) {
      n.op = Op::kHardSwish;
    } else {
      continue;
    }
    n.inputs = {x};
    return true;
  }
  return false;
}

// Clip(x + 3, 0, 6) / 6 or * 1/6, times x -> HardSwish(x); the factors may be in any order.
bool join_hard_swish(const Matcher& m, Node& n) {
  const auto six = [&](const Node& node, ValueId* rest) {
    for (size_t i : {0, 1}) {
      if (node.op == Op::kMul && !m.is_scalar(node.inputs[i], 1.0 / 6)) continue;
      if (node.op == Op::kDiv && (i == 0 || !m.is_scalar(node.inputs[1], 6))) continue;
      *rest = node.inputs[1 - i];
      return true;
    }
    return false;
  };
  const auto relu6_of = [&](ValueId clip) {
    const Node* c = m.absorbed(clip, Op::kClip);
    if (!c || c->inputs.size() != 3 || !m.scalar(c->inputs[1]) || *m.scalar(c->inputs[1]) != 0 ||
        !m.is_scalar(c->inputs[2], 6))
      return kNoValue;
    const Node* add = m.absorbed(c->inputs[0], Op::kAdd);
    if (!add) return kNoValue;
    for (size_t i : {0, 1})
      if (m.is_scalar(add->inputs[i], 3)) return add->inputs[1 - i];
    return kNoValue;
  };
  if (n.op != Op::kMul && n.op != Op::kDiv) return false;
  ValueId rest = kNoValue;
  if (six(n, &rest)) {  // (x * relu6(x + 3)) / 6
    const Node* product = m.absorbed(rest, Op::kMul);
    if (!product) return false;
    for (size_t i : {0, 1})
      if (relu6_of(product->inputs[i]) == product->inputs[1 - i]) {
        const ValueId x = product->inputs[1 - i];
        if (!m.same_shape(x, n.outputs[0])) continue;
        n.op = Op::kHardSwish;
        n.inputs = {x};
        return true;
      }
    return false;
  }
  if (n.op != Op::kMul) return false;
  for (size_t i : {0, 1}) {  // x * (relu6(x + 3) / 6)
    const Node* scaled = m.absorbed(n.inputs[i], Op::kDiv);
    if (!scaled) scaled = m.absorbed(n.inputs[i], Op::kMul);
    if (!scaled || !six(*scaled, &rest) || relu6_of(rest) != n.inputs[1 - i]) continue;
    if (!m.same_shape(n.inputs[1 - i], n.outputs[0])) continue;
    const ValueId x = n.inputs[1 - i];
    n.op = Op::kHardSwish;
    n.inputs = {x};
    return true;
  }
  return false;
}

}  // namespace

Result<bool> canonicalize(Graph& graph, const PassContext&) {
  Matcher m(graph);
  bool changed = false;
  for (NodeId id : graph.order()) {
    Node& n = graph.node(id);
    if (!simplify_variadic(n) && !simplify_pow(m, graph, n) && !join_gate(m, n) && !join_hard_swish(m, n)) continue;
    changed = true;
    m.refresh();
  }
  if (changed) graph.remove_dead();
  return changed;
}

}  // namespace ingot
