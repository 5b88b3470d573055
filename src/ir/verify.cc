// The rules that hold between passes: see verify() in graph.h.
#include <unordered_set>

#include "ir/infer.h"

namespace ingot {
namespace {

std::unexpected<Status> broken(const Node& n, std::string_view rule) {
  return error(Code::kInternal, "[ir] verify: {} '{}': {}", op_name(n.op), n.name, rule);
}

// An unknown rank or dimension agrees with anything: inference may know less or more than an importer. A symbol agrees
// with a number, of which an importer may know more, but with no other symbol.
bool agree(const Type& recorded, const Type& inferred) {
  if (recorded.dtype != inferred.dtype || recorded.elements.size() != inferred.elements.size()) return false;
  for (size_t i = 0; i < recorded.elements.size(); ++i)
    if (!agree(recorded.elements[i], inferred.elements[i])) return false;
  if (!recorded.ranked() || !inferred.ranked()) return true;
  if (recorded.rank() != inferred.rank()) return false;
  for (size_t i = 0; i < recorded.dims->size(); ++i) {
    const Dim &a = (*recorded.dims)[i], &b = (*inferred.dims)[i];
    if (a.is_const() == b.is_const() && !a.is_unknown() && !b.is_unknown() && !(a == b)) return false;
  }
  return true;
}

// The caches that an op writes are states of the session, each its own: never a constant in a read-only map.
Result<void> check_written(const Graph& graph, const Node& n) {
  if (n.op != Op::kPagedAttention) return {};
  for (size_t i : {3, 4})
    if (graph.value(n.inputs[i]).kind != ValueKind::kState)
      return broken(n, fmt::format("writes '{}', which is no state", graph.value(n.inputs[i]).name));
  if (n.inputs[3] == n.inputs[4]) return broken(n, "keys and values share a cache");
  return {};
}

// A subgraph takes what its node gives it (subgraph_input), and keeps no state.
Result<void> check_subgraph(const Graph& graph, const Node& n, const Graph& sub) {
  INGOT_TRY(verify(sub));
  if (!sub.states().empty()) return broken(n, "a subgraph has a state");
  std::vector<const Type*> operands;
  for (ValueId v : n.inputs) operands.push_back(v == kNoValue ? nullptr : &graph.value(v).type);
  if (subgraph_input(n, operands, sub.inputs().size()) ||
      (!sub.inputs().empty() && !subgraph_input(n, operands, sub.inputs().size() - 1)))
    return broken(n, fmt::format("a subgraph takes {} values of {}", sub.inputs().size(), n.inputs.size()));
  for (size_t i = 0; i < sub.inputs().size(); ++i) {
    const Value& taken = sub.value(sub.inputs()[i]);
    const auto given = subgraph_input(n, operands, i);
    if (!given || !agree(taken.type, *given))
      return broken(n, fmt::format("a subgraph's '{}' is not what is given for it", taken.name));
  }
  return {};
}

// Every value, dead ones too: names are how values are found. States are plain memory of a known rank.
Result<void> check_values(const Graph& graph) {
  for (ValueId v : graph.states())
    if (const Type& t = graph.value(v).type; !t.ranked() || holds_objects(t.dtype))
      return error(Code::kInternal, "[ir] verify: state '{}' is {}", graph.value(v).name, t.to_string());
  std::unordered_set<std::string_view> names;
  for (size_t i = 0; i < graph.num_values(); ++i) {
    const Value& v = graph.value(ValueId{static_cast<int32_t>(i)});
    if (!names.insert(v.name).second) return error(Code::kInternal, "[ir] verify: two values are named '{}'", v.name);
  }
  return {};
}

}  // namespace

Result<void> verify(const Graph& graph) {
  INGOT_TRY(check_values(graph));
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
    auto types = infer_types(graph, n, static_cast<int>(n.outputs.size()));
    if (!types) return broken(n, types.error().message());
    INGOT_TRY(check_written(graph, n));
    for (const auto& [key, sub] : n.subgraphs) INGOT_TRY(check_subgraph(graph, n, *sub));
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
