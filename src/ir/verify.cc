// The rules that hold between passes: see verify() in graph.h.
#include "ir/infer.h"

namespace ingot {
namespace {

std::unexpected<Status> broken(const Node& n, std::string_view rule) {
  return error(Code::kInternal, "[ir] verify: {} '{}': {}", op_name(n.op), n.name, rule);
}

// An unknown rank or dimension agrees with anything: inference may know less or more than an importer.
bool agree(const Type& recorded, const Type& inferred) {
  if (recorded.dtype != inferred.dtype) return false;
  if (!recorded.ranked() || !inferred.ranked()) return true;
  if (recorded.rank() != inferred.rank()) return false;
  for (size_t i = 0; i < recorded.dims->size(); ++i) {
    const Dim &a = (*recorded.dims)[i], &b = (*inferred.dims)[i];
    if (a.is_const() && b.is_const() && !(a == b)) return false;
  }
  return true;
}

}  // namespace

Result<void> verify(const Graph& graph) {
  std::vector<char> defined(graph.num_values(), 0);
  for (size_t i = 0; i < defined.size(); ++i)
    defined[i] = graph.value(ValueId{static_cast<int32_t>(i)}).kind != ValueKind::kNode;
  for (NodeId id : graph.order()) {
    const Node& n = graph.node(id);
    for (ValueId v : n.inputs) {
      if (v == kNoValue) continue;
      if (static_cast<size_t>(v) >= graph.num_values()) return broken(n, "reads a value that does not exist");
      if (!defined[static_cast<size_t>(v)])
        return broken(n, fmt::format("reads '{}' before it is made", graph.value(v).name));
    }
    for (ValueId v : n.outputs) {
      if (graph.value(v).producer != id)
        return broken(n, fmt::format("output '{}' has another producer", graph.value(v).name));
      if (defined[static_cast<size_t>(v)])
        return broken(n, fmt::format("makes '{}' a second time", graph.value(v).name));
      defined[static_cast<size_t>(v)] = 1;
    }
    for (const auto& [key, sub] : n.subgraphs) INGOT_TRY(verify(*sub));
    auto types = infer_types(graph, n, static_cast<int>(n.outputs.size()));
    if (!types) return broken(n, types.error().message());
    for (size_t i = 0; i < types->size(); ++i)
      if (!agree(graph.value(n.outputs[i]).type, (*types)[i]))
        return broken(n, fmt::format("output {} is recorded as {} but is {}", i,
                                     graph.value(n.outputs[i]).type.to_string(), (*types)[i].to_string()));
  }
  for (ValueId v : graph.outputs())
    if (v == kNoValue || !defined[static_cast<size_t>(v)])
      return error(Code::kInternal, "[ir] verify: a graph output is made by no node");
  return {};
}

}  // namespace ingot
