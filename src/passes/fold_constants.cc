// Nodes whose operands are constants become constants, and so do integers that inference knows (shapes).
#include <algorithm>

#include "ir/infer.h"
#include "passes/pipeline.h"

namespace ingot {
namespace {

// A folded result may exceed its operands' bytes by this much: Expand of a scalar is no constant worth keeping.
constexpr size_t kGrowthBytesMax = 1 << 20;
// Multiply-adds and the like that one run of the pass may spend on ops that cost more than they read and write.
constexpr double kStepsMax = 1e8;

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
    if (graph.is_output(v) || graph.value(v).type.is_container()) return false;
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

// At most so many steps, of an op whose elements each take a sum or maximum over many; 0 for all others, whose cost
// the limit on bytes bounds.
double steps_of(const Graph& graph, const Node& n, std::span<const Tensor> in) {
  double elements = 1;
  for (ValueId v : n.outputs)
    if (const auto shape = graph.value(v).type.concrete()) elements *= static_cast<double>(shape->num_elements());
  const auto size = [&](size_t i) { return in[i].defined() ? static_cast<double>(in[i].shape().num_elements()) : 1.0; };
  const auto dim = [&](size_t i, int d) {
    const Shape& s = in[i].shape();
    const int at = d < 0 ? s.rank() + d : d;
    return at >= 0 && at < s.rank() ? static_cast<double>(std::max<int64_t>(s[at], 1)) : 1.0;
  };
  switch (n.op) {
    case Op::kEinsum: {  // every combination of all labels
      double all = 1;
      for (size_t i = 0; i < in.size(); ++i) all *= size(i);
      return all;
    }
    case Op::kMatMul:
    case Op::kMatMulInteger:
    case Op::kGemm:
    case Op::kFusedMatMul:  // either of the two may be the inner one
      return elements * std::max(dim(0, -1), dim(0, -2));
    case Op::kLinear: return elements * dim(1, -1);
    case Op::kConv:
    case Op::kConvInteger:
    case Op::kFusedConv: return elements * size(1) / dim(1, 0);
    case Op::kConvTranspose: return elements * size(1) / dim(1, 1);
    case Op::kAveragePool:
    case Op::kMaxPool:
      for (int64_t k : n.attributes.get_ints("kernel_shape")) elements *= static_cast<double>(k);
      return elements;
    case Op::kLRN: return elements * dim(0, 1);
    default: return 0;
  }
}

// The node's outputs, if they can be computed now, are not too large and not too much work; what it takes is taken
// from `steps_left`.
std::vector<Tensor> evaluate(const Graph& graph, const Node& n, const PassContext& context, double& steps_left) {
  if (!context.evaluator || !may_fold(graph, n)) return {};
  std::vector<Tensor> inputs;
  for (ValueId v : n.inputs) inputs.push_back(v == kNoValue ? Tensor() : *graph.constant(v));
  const size_t limit = bytes_of(inputs) + kGrowthBytesMax;
  size_t declared = 0;
  for (ValueId v : n.outputs)
    if (const auto shape = graph.value(v).type.concrete())
      declared += TensorView{graph.value(v).type.dtype, *shape, nullptr}.num_bytes();
  if (declared > limit) return {};
  const double steps = steps_of(graph, n, inputs);
  if (steps > steps_left) return {};
  steps_left -= steps;
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
  double steps_left = kStepsMax;
  const std::vector<NodeId> order = graph.order();
  for (NodeId id : order) {
    const std::vector<ValueId> outputs = graph.node(id).outputs;
    std::vector<Tensor> results;
    if (outputs.size() == 1 && !graph.is_output(outputs[0]) && static_cast<size_t>(outputs[0]) < known.size())
      if (Tensor t = known_integers(graph.value(outputs[0]), known[static_cast<size_t>(outputs[0])]); t.defined())
        results = {std::move(t)};
    if (results.empty()) results = evaluate(graph, graph.node(id), context, steps_left);
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
