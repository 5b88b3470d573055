// Nodes whose operands are constants become constants, and so do integers that inference knows (shapes).
#include <algorithm>

#include "ir/infer.h"
#include "passes/pipeline.h"

namespace ingot {
namespace {

// A folded result may exceed its operands' bytes by this much: Expand of a scalar is no constant worth keeping.
constexpr size_t kGrowthBytesMax = 1 << 20;

size_t bytes_of(std::span<const Tensor> tensors) {
  size_t n = 0;
  for (const Tensor& t : tensors) n += t.defined() ? t.view().num_bytes() : 0;
  return n;
}

bool may_fold(const Graph& graph, const Node& n) {
  if (op_schema(n.op).flags & (kOpControl | kOpStateful | kOpRandom)) return false;
  for (ValueId v : n.inputs)
    if (v != kNoValue && (!graph.constant(v) || !graph.constant(v)->defined())) return false;
  for (ValueId v : n.outputs)
    if (graph.is_output(v)) return false;
  return true;
}

// The integers that inference knows of a value, as a tensor; undefined if not all are numbers.
Tensor known_integers(const Value& value, const InferredValue& known) {
  if (!known.elements || !known.type.ranked() || known.type.rank() > 1) return {};
  if (value.type.dtype != DType::kI64 && value.type.dtype != DType::kI32) return {};
  const auto shape = known.type.concrete();
  if (!shape || shape->num_elements() != static_cast<int64_t>(known.elements->size())) return {};
  if (!std::ranges::all_of(*known.elements, [](const Dim& d) { return d.is_const(); })) return {};
  Tensor t = Tensor::allocate(value.type.dtype, *shape);
  for (size_t i = 0; i < known.elements->size(); ++i) {
    const int64_t v = (*known.elements)[i].value();
    if (value.type.dtype == DType::kI64)
      t.mutable_as<int64_t>()[i] = v;
    else
      t.mutable_as<int32_t>()[i] = static_cast<int32_t>(v);
  }
  return t;
}

// The node's outputs, if they can be computed now and are not too large.
std::vector<Tensor> evaluate(const Graph& graph, const Node& n, const PassContext& context) {
  if (!context.evaluator || !may_fold(graph, n)) return {};
  std::vector<Tensor> inputs;
  for (ValueId v : n.inputs) inputs.push_back(v == kNoValue ? Tensor() : *graph.constant(v));
  const size_t limit = bytes_of(inputs) + kGrowthBytesMax;
  size_t declared = 0;
  for (ValueId v : n.outputs)
    if (const auto shape = graph.value(v).type.concrete())
      declared += TensorView{graph.value(v).type.dtype, *shape, nullptr}.num_bytes();
  if (declared > limit) return {};
  // What fails here fails again, with its message, when the graph runs: if it runs at all.
  auto results = context.evaluator(graph, n, inputs);
  if (!results || bytes_of(*results) > limit) return {};
  return *std::move(results);
}

}  // namespace

Result<bool> fold_constants(Graph& graph, const PassContext& context) {
  std::vector<InferredValue> inputs;
  for (ValueId v : graph.inputs()) inputs.push_back({graph.value(v).type, std::nullopt, nullptr});
  const auto known = INGOT_TRY(infer_graph(graph, inputs));
  bool changed = false;
  const std::vector<NodeId> order = graph.order();
  for (NodeId id : order) {
    const std::vector<ValueId> outputs = graph.node(id).outputs;
    std::vector<Tensor> results;
    if (outputs.size() == 1 && !graph.is_output(outputs[0]) && static_cast<size_t>(outputs[0]) < known.size())
      if (Tensor t = known_integers(graph.value(outputs[0]), known[static_cast<size_t>(outputs[0])]); t.defined())
        results = {std::move(t)};
    if (results.empty()) results = evaluate(graph, graph.node(id), context);
    if (results.size() != outputs.size()) continue;
    for (size_t i = 0; i < outputs.size(); ++i) {
      const std::string name = graph.value(outputs[i]).name + ".folded";
      graph.replace_uses(outputs[i], graph.add_constant(name, std::move(results[i])));
    }
    graph.remove_node(id);
    changed = true;
  }
  if (changed) graph.remove_dead();
  return changed;
}

}  // namespace ingot
