#include "ir/graph.h"

#include <algorithm>

#include "ir/infer.h"

namespace ingot {
namespace {

size_t index(ValueId v) { return static_cast<size_t>(v); }
size_t index(NodeId n) { return static_cast<size_t>(n); }

}  // namespace

const Graph* Node::subgraph(std::string_view attribute) const {
  for (const auto& [key, graph] : subgraphs)
    if (key == attribute) return graph.get();
  return nullptr;
}

ValueId Graph::new_value(std::string value_name, Type type, ValueKind kind) {
  const ValueId id{static_cast<int32_t>(values_.size())};
  if (value_name.empty()) value_name = "v" + std::to_string(values_.size());
  for (int i = 1; by_name_.contains(value_name); ++i) {
    std::string candidate = fmt::format("{}_{}", value_name, i);
    if (!by_name_.contains(candidate)) value_name = std::move(candidate);
  }
  by_name_.emplace(value_name, id);
  values_.push_back({.name = std::move(value_name), .type = std::move(type), .kind = kind});
  return id;
}

ValueId Graph::add_input(std::string value_name, Type type) {
  inputs_.push_back(new_value(std::move(value_name), std::move(type), ValueKind::kInput));
  return inputs_.back();
}

ValueId Graph::add_state(std::string value_name, Type type) {
  states_.push_back(new_value(std::move(value_name), std::move(type), ValueKind::kState));
  return states_.back();
}

ValueId Graph::add_constant(std::string value_name, Tensor tensor, bool file_backed) {
  const ValueId v = new_value(std::move(value_name), Type::of(tensor.view()), ValueKind::kConstant);
  value(v).constant = std::move(tensor);
  value(v).file_backed = file_backed;
  return v;
}

NodeId Graph::add_raw(Node node, std::span<const Type> output_types, std::span<const std::string> output_names) {
  const NodeId id{static_cast<int32_t>(nodes_.size())};
  node.outputs.clear();
  for (size_t i = 0; i < output_types.size(); ++i) {
    std::string value_name = i < output_names.size() ? output_names[i] : "";
    node.outputs.push_back(new_value(std::move(value_name), output_types[i], ValueKind::kNode));
    value(node.outputs.back()).producer = id;
  }
  nodes_.push_back(std::move(node));
  order_.push_back(id);
  return id;
}

Result<NodeId> Graph::add_node(Op op, std::vector<ValueId> inputs, int num_outputs, Attributes attributes,
                               std::string node_name) {
  Node node{.op = op, .name = std::move(node_name), .inputs = std::move(inputs), .attributes = std::move(attributes)};
  const std::vector<Type> types = INGOT_TRY(infer_types(*this, node, num_outputs));
  return add_raw(std::move(node), types, {});
}

Result<ValueId> Graph::add(Op op, std::vector<ValueId> inputs, Attributes attributes, std::string node_name) {
  const NodeId n = INGOT_TRY(add_node(op, std::move(inputs), 1, std::move(attributes), std::move(node_name)));
  return node(n).outputs[0];
}

ValueId Graph::find_value(std::string_view value_name) const {
  const auto it = by_name_.find(std::string(value_name));
  return it == by_name_.end() ? kNoValue : it->second;
}

void Graph::claim_name(ValueId v, const std::string& value_name) {
  const ValueId holder = find_value(value_name);
  if (holder == v) return;
  by_name_.erase(value(v).name);
  if (holder != kNoValue) {
    std::string fresh = value_name;
    for (int i = 1; by_name_.contains(fresh); ++i) fresh = fmt::format("{}_{}", value_name, i);
    by_name_.emplace(fresh, holder);
    value(holder).name = std::move(fresh);
  }
  by_name_[value_name] = v;
  value(v).name = value_name;
}

std::vector<std::vector<NodeId>> Graph::uses() const {
  std::vector<std::vector<NodeId>> out(values_.size());
  for (NodeId n : order_)
    for (ValueId v : node(n).inputs)
      if (v != kNoValue) out[index(v)].push_back(n);
  return out;
}

bool Graph::is_output(ValueId v) const { return std::find(outputs_.begin(), outputs_.end(), v) != outputs_.end(); }

void Graph::replace_uses(ValueId from, ValueId to) {
  for (NodeId n : order_) std::replace(node(n).inputs.begin(), node(n).inputs.end(), from, to);
  std::replace(outputs_.begin(), outputs_.end(), from, to);
}

void Graph::remove_node(NodeId n) { std::erase(order_, n); }

Result<void> Graph::sort() {
  std::vector<char> state(nodes_.size(), 2);  // 0 waiting, 1 open, 2 done or not in the graph
  for (NodeId n : order_) state[index(n)] = 0;
  std::vector<NodeId> sorted;
  sorted.reserve(order_.size());
  std::vector<std::pair<NodeId, size_t>> stack;
  for (NodeId root : order_) {
    if (state[index(root)] != 0) continue;
    stack.emplace_back(root, 0);
    state[index(root)] = 1;
    while (!stack.empty()) {
      auto& [n, next] = stack.back();
      const Node& current = node(n);
      NodeId child = kNoNode;
      while (next < current.inputs.size() && child == kNoNode) {
        const ValueId v = current.inputs[next++];
        if (v == kNoValue || value(v).producer == kNoNode) continue;
        const NodeId p = value(v).producer;
        if (state[index(p)] == 1)
          return invalid("[ir] node '{}' ({}) is part of a cycle", current.name, op_name(current.op));
        if (state[index(p)] == 0) child = p;
      }
      if (child != kNoNode) {
        state[index(child)] = 1;
        stack.emplace_back(child, 0);
      } else {
        state[index(n)] = 2;
        sorted.push_back(n);
        stack.pop_back();
      }
    }
  }
  order_ = std::move(sorted);
  return {};
}

int Graph::remove_dead() {
  std::vector<char> needed(values_.size(), 0);
  for (ValueId v : outputs_) needed[index(v)] = 1;
  std::vector<NodeId> kept;
  for (auto it = order_.rbegin(); it != order_.rend(); ++it) {
    const Node& n = node(*it);
    bool keep = op_schema(n.op).flags & kOpStateful;
    for (ValueId v : n.outputs) keep |= v != kNoValue && needed[index(v)];
    if (!keep) continue;
    for (ValueId v : n.inputs)
      if (v != kNoValue) needed[index(v)] = 1;
    kept.push_back(*it);
  }
  const int removed = static_cast<int>(order_.size() - kept.size());
  order_.assign(kept.rbegin(), kept.rend());
  for (size_t i = 0; i < values_.size(); ++i)
    if (values_[i].kind == ValueKind::kConstant && !needed[i]) values_[i].constant = Tensor();
  return removed;
}

}  // namespace ingot
