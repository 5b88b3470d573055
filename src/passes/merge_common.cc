// Equal nodes over equal operands are computed once; equal small constants become one.
#include <algorithm>
#include <cstring>
#include <map>

#include "passes/pipeline.h"

namespace ingot {
namespace {

constexpr size_t kConstantBytesMax = 4096;

struct AttributeKey {
  std::string operator()(int64_t v) const { return std::to_string(v); }
  std::string operator()(float v) const { return fmt::format("{:a}f", v); }
  std::string operator()(const std::string& v) const { return v; }
  template <class T>
  std::string operator()(const std::vector<T>& list) const {
    std::string out;
    for (const T& v : list) out += (*this)(v) + ",";
    return out;
  }
  std::string operator()(const Tensor& t) const { return fmt::format("{}", t.view().data); }
};

std::string key_of(const Node& n) {
  std::string key = fmt::format("{}/{}", op_name(n.op), n.outputs.size());
  for (ValueId v : n.inputs) key += fmt::format(" {}", static_cast<int>(v));
  for (const auto& [name, value] : n.attributes.map())
    key += fmt::format(" {}:{}={}", name, value.index(), std::visit(AttributeKey{}, value));
  return key;
}

bool merge_constants(Graph& graph) {
  std::map<std::string, ValueId> seen;
  std::map<ValueId, ValueId> replaced;
  for (size_t i = 0; i < graph.num_values(); ++i) {
    const ValueId v{static_cast<int32_t>(i)};
    const Tensor* t = graph.constant(v);
    if (!t || !t->defined() || t->dtype() == DType::kString || t->view().num_bytes() > kConstantBytesMax) continue;
    std::string key = fmt::format("{}{} ", dtype_name(t->dtype()), t->shape().to_string());
    key.append(t->as<char>(), t->view().num_bytes());
    const auto [it, fresh] = seen.emplace(std::move(key), v);
    if (!fresh) replaced.emplace(v, it->second);
  }
  bool changed = false;
  for (NodeId id : graph.order())
    for (ValueId& v : graph.node(id).inputs)
      if (const auto it = replaced.find(v); it != replaced.end()) {
        v = it->second;
        changed = true;
      }
  return changed;
}

}  // namespace

Result<bool> merge_common(Graph& graph, const PassContext&) {
  bool changed = merge_constants(graph);
  std::map<std::string, NodeId> seen;
  const std::vector<NodeId> order = graph.order();
  for (NodeId id : order) {
    const Node& n = graph.node(id);
    if ((op_schema(n.op).flags & (kOpControl | kOpStateful | kOpRandom)) || !n.subgraphs.empty()) continue;
    if (std::ranges::any_of(n.outputs, [&](ValueId v) { return graph.is_output(v); })) continue;
    const auto [it, fresh] = seen.emplace(key_of(n), id);
    if (fresh) continue;
    const std::vector<ValueId> from = n.outputs, to = graph.node(it->second).outputs;
    for (size_t i = 0; i < from.size(); ++i) graph.replace_uses(from[i], to[i]);
    graph.remove_node(id);
    changed = true;
  }
  if (changed) graph.remove_dead();
  return changed;
}

}  // namespace ingot
