// Removes nodes that do nothing (Identity, a Reshape to the same shape, …) and nodes that nobody needs.
#include <algorithm>

#include "passes/match.h"
#include "passes/pipeline.h"

namespace ingot {
namespace {

bool is_identity_perm(const Node& n) {
  const std::vector<int64_t> perm = n.attributes.get_ints("perm");
  for (size_t i = 0; i < perm.size(); ++i)
    if (perm[i] != static_cast<int64_t>(i)) return false;
  return !perm.empty();
}

bool all_equal(const std::optional<std::vector<int64_t>>& list, int64_t wanted) {
  return list && std::ranges::all_of(*list, [&](int64_t v) { return v == wanted; });
}

// The result is operand 0, element for element.
bool does_nothing(const Matcher& m, const Graph& g, const Node& n) {
  if (n.inputs.empty() || n.inputs[0] == kNoValue || n.outputs.size() != 1) return false;
  const ValueId x = n.inputs[0], y = n.outputs[0];
  switch (n.op) {
    case Op::kIdentity: return true;
    case Op::kConcat:
    case Op::kMax:
    case Op::kMin:
    case Op::kSum: return n.inputs.size() == 1;
    case Op::kCast: return g.value(x).type.dtype == g.value(y).type.dtype;
    case Op::kTranspose: return is_identity_perm(n);
    case Op::kReshape:
    case Op::kFlatten:
    case Op::kSqueeze:
    case Op::kExpand: return m.same_shape(x, y);
    case Op::kTile: return all_equal(m.ints(n.inputs[1]), 1);
    case Op::kPad: return all_equal(m.ints(n.inputs[1]), 0);
    case Op::kSlice:
      return m.same_shape(x, y) && all_equal(m.ints(n.inputs[1]), 0) &&
             (n.inputs.size() < 5 || n.inputs[4] == kNoValue || all_equal(m.ints(n.inputs[4]), 1));
    default: return false;
  }
}

// Transpose of a transpose: one node with the composed permutation.
bool join_transposes(const Matcher& m, Node& n) {
  if (n.op != Op::kTranspose) return false;
  const Node* first = m.producer(n.inputs[0], Op::kTranspose);
  if (!first) return false;
  const std::vector<int64_t> outer = n.attributes.get_ints("perm"), inner = first->attributes.get_ints("perm");
  if (outer.empty() || outer.size() != inner.size()) return false;
  std::vector<int64_t> perm;
  for (int64_t p : outer) perm.push_back(inner[static_cast<size_t>(p)]);
  n.attributes.set("perm", std::move(perm));
  n.inputs[0] = first->inputs[0];
  return true;
}

// Reshape of a view: the first shape does not matter, unless the second copies dimensions from it.
bool join_reshapes(const Matcher& m, const Graph& g, Node& n) {
  if (n.op != Op::kReshape) return false;
  for (Op op : {Op::kReshape, Op::kFlatten, Op::kSqueeze, Op::kUnsqueeze}) {
    const Node* first = m.producer(n.inputs[0], op);
    const auto shape = m.ints(n.inputs[1]);
    if (!first || !shape || std::ranges::find(*shape, 0) != shape->end() || g.is_output(n.inputs[0])) continue;
    n.inputs[0] = first->inputs[0];
    return true;
  }
  return false;
}

}  // namespace

Result<bool> eliminate(Graph& graph, const PassContext&) {
  Matcher m(graph);
  bool changed = false;
  const std::vector<NodeId> order = graph.order();
  for (NodeId id : order) {
    Node& n = graph.node(id);
    changed |= join_transposes(m, n) || join_reshapes(m, graph, n);
    // An output keeps its node: the output's name is the node's.
    if (!does_nothing(m, graph, n) || graph.is_output(n.outputs[0])) continue;
    graph.replace_uses(n.outputs[0], n.inputs[0]);
    graph.remove_node(id);
    changed = true;
  }
  return graph.remove_dead() > 0 || changed;
}

}  // namespace ingot
