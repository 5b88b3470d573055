// Gradient (ai.onnx.preview.training): dy/dx for every x in xs, by reverse-mode differentiation of the nodes between
// xs and y, done once at import. The result is ordinary nodes; operators without a rule here are refused by name.
#include <algorithm>
#include <map>
#include <ranges>

#include "formats/onnx/convert.h"
#include "formats/onnx/graph_builder.h"

namespace ingot::onnx {
namespace {

class Differentiator {
 public:
  explicit Differentiator(NodeDraft& draft) : d_(draft), graph_(draft.builder.graph()) {}

  Result<void> run();

 private:
  Result<void> find_path(ValueId y);
  Result<void> substitute();
  Result<void> backward(const Node& node);
  Result<void> unary(const Node& node, ValueId g);
  Result<void> binary(const Node& node, ValueId g);
  Result<void> accumulate(ValueId v, ValueId gradient);
  Result<ValueId> sum_to(ValueId gradient, ValueId like);
  Result<ValueId> like(ValueId v, float value);
  Result<ValueId> transposed(ValueId v);
  Result<ValueId> add(Op op, std::vector<ValueId> in, const Attributes& a = {}) { return d_.add(op, std::move(in), a); }
  const Type& type(ValueId v) const { return graph_.value(v).type; }
  ValueId now(ValueId v) const {
    const auto it = replaced_.find(v);
    return it == replaced_.end() ? v : it->second;
  }

  NodeDraft& d_;
  Graph& graph_;
  std::vector<ValueId> xs_;
  std::vector<NodeId> path_;              // nodes that lie between xs and y, in order
  std::map<ValueId, ValueId> replaced_;   // values recomputed from the operands given in place of xs
  std::map<ValueId, ValueId> gradients_;  // of y by each value of the graph as it was
};

Result<void> Differentiator::find_path(ValueId y) {
  std::vector<char> depends(graph_.num_values(), 0), needed(graph_.num_values(), 0);
  const auto at = [](ValueId v) { return static_cast<size_t>(v); };
  for (ValueId x : xs_) depends[at(x)] = 1;
  const auto& order = graph_.order();
  for (NodeId n : order)
    for (ValueId in : graph_.node(n).inputs)
      if (in != kNoValue && depends[at(in)])
        for (ValueId out : graph_.node(n).outputs) depends[at(out)] = 1;
  needed[at(y)] = 1;
  for (NodeId n : order | std::views::reverse) {
    const Node& node = graph_.node(n);
    const bool used = std::ranges::any_of(node.outputs, [&](ValueId v) { return needed[at(v)] && depends[at(v)]; });
    if (!used) continue;
    if (std::ranges::all_of(node.outputs, [&](ValueId v) { return std::ranges::find(xs_, v) != xs_.end(); })) continue;
    if (!node.subgraphs.empty()) return d_.unsupported(fmt::format("the gradient of {}", op_name(node.op)));
    path_.push_back(n);
    for (ValueId v : node.inputs)
      if (v != kNoValue) needed[at(v)] = 1;
  }
  std::ranges::reverse(path_);
  return {};
}

// The nodes of the path once more, with the node's operands in place of xs.
Result<void> Differentiator::substitute() {
  for (size_t i = 0; i < xs_.size(); ++i)
    if (d_.node.inputs[i] != xs_[i]) replaced_[xs_[i]] = d_.node.inputs[i];
  if (replaced_.empty()) return {};
  for (NodeId n : path_) {
    Node copy = graph_.node(n);
    for (ValueId& v : copy.inputs) v = now(v);
    const std::vector<ValueId> outputs = std::exchange(copy.outputs, {});
    const auto made = INGOT_TRY(d_.builder.add_node(std::move(copy), {}, outputs.size()));
    for (size_t i = 0; i < outputs.size(); ++i) replaced_.try_emplace(outputs[i], made[i]);
  }
  return {};
}

Result<void> Differentiator::accumulate(ValueId v, ValueId gradient) {
  const ValueId fitted = INGOT_TRY(sum_to(gradient, now(v)));
  const auto [it, fresh] = gradients_.try_emplace(v, fitted);
  if (!fresh) it->second = INGOT_TRY(add(Op::kAdd, {it->second, fitted}));
  return {};
}

// Undoes broadcasting: sums over the axes along which `to` was repeated.
Result<ValueId> Differentiator::sum_to(ValueId gradient, ValueId to) {
  const Type &from = type(gradient), &wanted = type(to);
  if (from == wanted && wanted.ranked()) return gradient;
  const auto a = from.concrete(), b = wanted.concrete();
  if (!a || !b) return d_.fail("needs shapes that are known, has {} and {}", from.to_string(), wanted.to_string());
  if (*a == *b) return gradient;
  std::vector<int64_t> axes;
  const int extra = a->rank() - b->rank();
  for (int i = 0; i < a->rank(); ++i)
    if (i < extra || ((*b)[i - extra] == 1 && (*a)[i] != 1)) axes.push_back(i);
  const ValueId sum = axes.empty() ? gradient : INGOT_TRY(add(Op::kReduceSum, {gradient, d_.int_list(axes)}));
  return add(Op::kReshape, {sum, d_.int_list({b->begin(), b->end()})});
}

// A tensor of v's shape filled with a number.
Result<ValueId> Differentiator::like(ValueId v, float value) {
  return add(Op::kExpand, {d_.scalar_like(v, value), INGOT_TRY(add(Op::kShape, {v}))});
}

Result<ValueId> Differentiator::transposed(ValueId v) {
  if (!type(v).ranked() || type(v).rank() < 2) return d_.unsupported("the gradient of MatMul with a vector");
  std::vector<int64_t> perm;
  for (int i = 0; i < type(v).rank(); ++i) perm.push_back(i);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return add(Op::kTranspose, {v}, {{"perm", perm}});
}

Result<void> Differentiator::binary(const Node& node, ValueId g) {
  const ValueId a = node.inputs[0], b = node.inputs[1], x = now(a), y = now(b);
  switch (node.op) {
    case Op::kAdd: INGOT_TRY(accumulate(a, g)); return accumulate(b, g);
    case Op::kSub: INGOT_TRY(accumulate(a, g)); return accumulate(b, INGOT_TRY(add(Op::kNeg, {g})));
    case Op::kMul:
      INGOT_TRY(accumulate(a, INGOT_TRY(add(Op::kMul, {g, y}))));
      return accumulate(b, INGOT_TRY(add(Op::kMul, {g, x})));
    case Op::kDiv: {
      const ValueId part = INGOT_TRY(add(Op::kDiv, {g, y}));
      INGOT_TRY(accumulate(a, part));
      const ValueId ratio = INGOT_TRY(add(Op::kDiv, {x, y}));
      return accumulate(b, INGOT_TRY(add(Op::kNeg, {INGOT_TRY(add(Op::kMul, {part, ratio}))})));
    }
    default:  // MatMul
      INGOT_TRY(accumulate(a, INGOT_TRY(add(Op::kMatMul, {g, INGOT_TRY(transposed(y))}))));
      return accumulate(b, INGOT_TRY(add(Op::kMatMul, {INGOT_TRY(transposed(x)), g})));
  }
}

Result<void> Differentiator::unary(const Node& node, ValueId g) {
  const ValueId v = node.inputs[0], x = now(v), y = now(node.outputs[0]);
  const auto scaled = [&](ValueId slope) -> Result<void> {
    return accumulate(v, INGOT_TRY(add(Op::kMul, {g, slope})));
  };
  const auto one_minus = [&](ValueId t) { return add(Op::kSub, {d_.scalar_like(x, 1), t}); };
  switch (node.op) {
    case Op::kIdentity: return accumulate(v, g);
    case Op::kNeg: return accumulate(v, INGOT_TRY(add(Op::kNeg, {g})));
    case Op::kExp: return scaled(y);
    case Op::kLog: return accumulate(v, INGOT_TRY(add(Op::kDiv, {g, x})));
    case Op::kSqrt: return accumulate(v, INGOT_TRY(add(Op::kDiv, {g, INGOT_TRY(add(Op::kAdd, {y, y}))})));
    case Op::kSin: return scaled(INGOT_TRY(add(Op::kCos, {x})));
    case Op::kCos: return scaled(INGOT_TRY(add(Op::kNeg, {INGOT_TRY(add(Op::kSin, {x}))})));
    case Op::kTanh: return scaled(INGOT_TRY(one_minus(INGOT_TRY(add(Op::kMul, {y, y})))));
    case Op::kSigmoid: return scaled(INGOT_TRY(add(Op::kMul, {y, INGOT_TRY(one_minus(y))})));
    case Op::kRelu: {
      const ValueId positive = INGOT_TRY(add(Op::kGreater, {x, d_.scalar_like(x, 0)}));
      return accumulate(v, INGOT_TRY(add(Op::kWhere, {positive, g, d_.scalar_like(x, 0)})));
    }
    case Op::kReshape:
    case Op::kFlatten:
    case Op::kSqueeze:
    case Op::kUnsqueeze: return accumulate(v, INGOT_TRY(add(Op::kReshape, {g, INGOT_TRY(add(Op::kShape, {x}))})));
    case Op::kTranspose: {
      std::vector<int64_t> perm = node.attributes.get_ints("perm"), inverse(perm.size());
      for (size_t i = 0; i < perm.size(); ++i) inverse[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
      const Attributes a = perm.empty() ? Attributes() : Attributes{{"perm", inverse}};
      return accumulate(v, INGOT_TRY(add(Op::kTranspose, {g}, a)));
    }
    default: return d_.unsupported(fmt::format("the gradient of {}", op_name(node.op)));
  }
}

Result<void> Differentiator::backward(const Node& node) {
  for (size_t i = 1; i < node.outputs.size(); ++i)
    if (gradients_.contains(node.outputs[i]))
      return d_.unsupported(fmt::format("the gradient of output {} of {}", i, op_name(node.op)));
  const auto g = gradients_.find(node.outputs[0]);
  if (g == gradients_.end()) return {};
  switch (node.op) {
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kDiv:
    case Op::kMatMul: return binary(node, g->second);
    default: return unary(node, g->second);
  }
}

Result<void> Differentiator::run() {
  const auto xs = d_.take("xs"), y_name = d_.take("y");
  if (!xs || !y_name) return d_.fail("needs the attributes xs and y");
  d_.take("zs");
  for (const std::string& name : std::get<std::vector<std::string>>(*xs))
    xs_.push_back(INGOT_TRY(d_.builder.find_value(name)));
  const ValueId y = INGOT_TRY(d_.builder.find_value(std::get<std::string>(*y_name)));
  if (xs_.empty() || d_.node.inputs.size() < xs_.size() || d_.num_outputs > xs_.size())
    return d_.fail("has {} operands and {} outputs for {} xs", d_.node.inputs.size(), d_.num_outputs, xs_.size());
  for (size_t i = 0; i < xs_.size(); ++i)
    if (!d_.has_input(i)) return d_.fail("operand {} is missing", i);
  INGOT_TRY(find_path(y));
  INGOT_TRY(d_.builder.count_nodes(static_cast<int64_t>(graph_.order().size()),
                                   d_.node.name));  // what follows is as long at most
  INGOT_TRY(substitute());
  gradients_[y] = INGOT_TRY(like(now(y), 1));
  for (NodeId n : path_ | std::views::reverse) {
    const Node node = graph_.node(n);  // a copy: nodes are added meanwhile
    INGOT_TRY(backward(node));
  }
  for (ValueId x : xs_) {
    const auto g = gradients_.find(x);
    d_.results.push_back(g != gradients_.end() ? g->second : INGOT_TRY(like(now(x), 0)));
  }
  return {};
}

}  // namespace

Result<void> convert_gradient(NodeDraft& d) { return Differentiator(d).run(); }

}  // namespace ingot::onnx
