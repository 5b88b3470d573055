#include "formats/onnx/graph_builder.h"

#include <algorithm>
#include <cctype>
#include <queue>

#include "formats/onnx/attributes.h"
#include "formats/onnx/types.h"

namespace ingot::onnx {

Dim ModelContext::symbol(const std::string& dim_param) {
  auto [it, fresh] = symbols.emplace(dim_param, "");
  if (fresh) {
    std::string name;
    if (dim_param.empty() || std::isdigit(static_cast<unsigned char>(dim_param[0]))) name += 'd';
    for (char c : dim_param.substr(0, 64)) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    std::string unique = name;
    for (int i = 1; !symbols_taken.insert(unique).second; ++i) unique = fmt::format("{}_{}", name, i);
    it->second = std::move(unique);
  }
  return Dim::symbol(it->second);
}

namespace {

// "?" and the like name nothing: two of them are two sizes.
bool is_name(const std::string& dim_param) {
  return std::ranges::any_of(dim_param, [](unsigned char c) { return std::isalnum(c) || c >= 0x80; });
}

// The type that a graph declares for its input.
Result<Type> declared_type(const pb::ValueInfo& info, ModelContext& model) {
  return type_of(info.type(), info.name().substr(0, 200), [&](int axis, const std::string& param) {
    return model.symbol(is_name(param) ? param : fmt::format("{}_dim{}", info.name(), axis));
  });
}

void collect_free(const pb::GraphDef& graph, std::set<std::string>& seen, std::vector<std::string>& out) {
  std::set<std::string> defined;
  for (const auto& v : graph.input()) defined.insert(v.name());
  for (const auto& t : graph.initializer()) defined.insert(t.name());
  for (const auto& t : graph.sparse_initializer()) defined.insert(t.values().name());
  for (const auto& n : graph.node()) defined.insert(n.output().begin(), n.output().end());
  const auto use = [&](const std::string& name) {
    if (!name.empty() && !defined.contains(name) && seen.insert(name).second) out.push_back(name);
  };
  for (const auto& n : graph.node()) {
    for (const auto& name : n.input()) use(name);
    for (const auto& a : n.attribute())
      if (a.type() == pb::AttributeDef::GRAPH)
        for (const auto& name : free_names(a.g())) use(name);
  }
  for (const auto& v : graph.output()) use(v.name());
}

}  // namespace

std::vector<std::string> free_names(const pb::GraphDef& graph) {
  std::set<std::string> seen;
  std::vector<std::string> out;
  collect_free(graph, seen, out);
  return out;
}

void GraphBuilder::set_known(ValueId v, InferredValue known) {
  known_.resize(graph_.num_values());
  known_[static_cast<size_t>(v)] = std::move(known);
}

ValueId GraphBuilder::add_constant(std::string name, Tensor tensor, bool file_backed) {
  const ValueId v = graph_.add_constant(std::move(name), std::move(tensor), file_backed);
  set_known(v, {graph_.value(v).type, std::nullopt, nullptr});
  return v;
}

Result<void> GraphBuilder::define(const std::string& name, ValueId v, std::string_view what) {
  if (!scope_.emplace(name, v).second)
    return invalid("[onnx] graph '{}': {} '{}' is defined a second time", graph_.name, what, name);
  return {};
}

Result<void> GraphBuilder::add_inputs(const pb::GraphDef& proto) {
  std::set<std::string> initialized;
  for (const auto& t : proto.initializer()) initialized.insert(t.name());
  for (const auto& t : proto.sparse_initializer()) initialized.insert(t.values().name());
  for (const auto& info : proto.input()) {
    if (initialized.contains(info.name())) continue;  // a default value: taken as a constant
    if (info.name().empty()) return invalid("[onnx] graph '{}': an input has no name", graph_.name);
    const Type type = INGOT_TRY(declared_type(info, model_));
    const ValueId v = graph_.add_input(info.name(), type);
    set_known(v, {type, std::nullopt, nullptr});
    INGOT_TRY(define(info.name(), v, "input"));
  }
  return {};
}

Result<void> GraphBuilder::add_initializers(const pb::GraphDef& proto) {
  for (const auto& t : proto.initializer()) {
    if (t.name().empty()) return invalid("[onnx] graph '{}': an initializer has no name", graph_.name);
    bool file_backed = false;
    Tensor tensor = INGOT_TRY(model_.tensors.read(t, &file_backed));
    INGOT_TRY(define(t.name(), add_constant(t.name(), std::move(tensor), file_backed), "initializer"));
  }
  for (const auto& t : proto.sparse_initializer()) {
    const std::string& name = t.values().name();
    if (name.empty()) return invalid("[onnx] graph '{}': an initializer has no name", graph_.name);
    INGOT_TRY(define(name, add_constant(name, INGOT_TRY(model_.tensors.read_sparse(t))), "initializer"));
  }
  return {};
}

// Topological, and otherwise in the file's order.
Result<std::vector<int>> GraphBuilder::order_nodes(const NodeList& nodes) const {
  std::unordered_map<std::string, int> producer;
  for (int i = 0; i < nodes.size(); ++i)
    for (const auto& name : nodes.Get(i).output())
      if (!name.empty() && !producer.emplace(name, i).second)
        return invalid("[onnx] node '{}' ({}): value '{}' is defined a second time", nodes.Get(i).name(),
                       nodes.Get(i).op_type(), name);
  std::vector<int> waiting(static_cast<size_t>(nodes.size()), 0);
  std::vector<std::vector<int>> readers(waiting.size());
  for (int i = 0; i < nodes.size(); ++i) {
    const pb::NodeDef& n = nodes.Get(i);
    std::set<std::string> reads(n.input().begin(), n.input().end());
    for (const auto& a : n.attribute())
      if (a.type() == pb::AttributeDef::GRAPH)
        for (const auto& name : free_names(a.g())) reads.insert(name);
    for (const auto& name : reads) {
      if (name.empty() || scope_.contains(name)) continue;
      const auto it = producer.find(name);
      if (it == producer.end())
        return invalid("[onnx] node '{}' ({}): input '{}' is defined nowhere", n.name(), n.op_type(), name);
      readers[static_cast<size_t>(it->second)].push_back(i);
      ++waiting[static_cast<size_t>(i)];
    }
  }
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (size_t i = 0; i < waiting.size(); ++i)
    if (!waiting[i]) ready.push(static_cast<int>(i));
  std::vector<int> order;
  while (!ready.empty()) {
    order.push_back(ready.top());
    ready.pop();
    for (int r : readers[static_cast<size_t>(order.back())])
      if (--waiting[static_cast<size_t>(r)] == 0) ready.push(r);
  }
  if (order.size() != waiting.size()) {
    const auto stuck = std::find_if(waiting.begin(), waiting.end(), [](int w) { return w > 0; });
    const auto& n = nodes.Get(static_cast<int>(stuck - waiting.begin()));
    return invalid("[onnx] node '{}' ({}) is part of a cycle or waits for one", n.name(), n.op_type());
  }
  return order;
}

Result<std::vector<ValueId>> GraphBuilder::add_node(Node node, const std::vector<std::string>& output_names,
                                                    size_t num_outputs) {
  std::vector<InferredValue> in, out(num_outputs);
  for (ValueId v : node.inputs) {
    InferredValue seen = v == kNoValue ? InferredValue{} : known_[static_cast<size_t>(v)];
    seen.constant = graph_.constant(v);
    in.push_back(std::move(seen));
  }
  InferContext context(node, in, out);
  INGOT_TRY(infer_node(context));
  std::vector<Type> types;
  for (const auto& o : out) types.push_back(o.type);
  const NodeId id = graph_.add_raw(std::move(node), types, output_names);
  std::vector<ValueId> results = graph_.node(id).outputs;
  for (size_t i = 0; i < results.size(); ++i) set_known(results[i], std::move(out[i]));
  return results;
}

Result<ValueId> GraphBuilder::find_value(const std::string& name) const {
  const auto it = scope_.find(name);
  if (it == scope_.end() || it->second == kNoValue)
    return invalid("[onnx] value '{}' is not defined before the node that names it", name);
  return it->second;
}

int64_t GraphBuilder::opset_of(const std::string& domain) const {
  const std::string key = domain == "ai.onnx" ? "" : domain;
  if (expansion_)
    if (const auto it = expansion_->opsets.find(key); it != expansion_->opsets.end()) return it->second;
  const auto it = model_.opsets.find(key);
  return it == model_.opsets.end() ? 0 : it->second;
}

Result<void> GraphBuilder::count_nodes(int64_t count, std::string_view cause) {
  model_.nodes_imported += count;
  if (model_.nodes_imported <= model_.nodes_imported_max) return {};
  return error(Code::kResourceExhausted,
               "[onnx] node '{}' makes the graph too long: loops nest too deep, or gradients are taken too often",
               cause.substr(0, 200));
}

Result<void> GraphBuilder::import_node(const pb::NodeDef& proto) {
  INGOT_TRY(count_nodes(1, proto.name()));
  if (const pb::Function* f = model_.functions.find(proto)) return import_call(proto, *f);
  return import_operator(proto, operator_key(proto.domain(), proto.op_type()));
}

Result<void> GraphBuilder::import_operator(const pb::NodeDef& proto, const std::string& key) {
  const auto entry = find_operator(key);
  INGOT_CHECK(entry.has_value());  // the model was scanned for unknown operators
  NodeDraft draft{.builder = *this, .op_type = key, .opset = opset_of(proto.domain()), .node = {}};
  draft.node.name = (expansion_ ? expansion_->prefix : "") + proto.name().substr(0, limits::kTensorNameBytesMax);
  if (draft.opset < 1)
    return draft.fail("the model imports no opset of its domain '{}'", proto.domain().substr(0, 200));
  if (entry->op) draft.node.op = *entry->op;
  for (const auto& name : proto.input()) draft.node.inputs.push_back(name.empty() ? kNoValue : scope_.at(name));
  while (!draft.node.inputs.empty() && draft.node.inputs.back() == kNoValue) draft.node.inputs.pop_back();
  std::vector<std::string> names(proto.output().begin(), proto.output().end());
  while (!names.empty() && names.back().empty()) names.pop_back();
  if (names.empty()) return draft.fail("has no output");
  draft.num_outputs = names.size();
  draft.node.attributes = INGOT_TRY(read_attributes(proto, expansion_, model_.tensors));
  INGOT_TRY(import_subgraphs(proto, draft));
  if (entry->convert) INGOT_TRY(entry->convert(draft));
  if (draft.results.empty()) {
    const size_t count = std::max(draft.num_outputs, static_cast<size_t>(op_schema(draft.node.op).outputs_min));
    draft.results = INGOT_TRY(add_node(std::move(draft.node), names, count));
  }
  if (draft.results.size() < names.size()) return draft.fail("has only {} outputs", draft.results.size());
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) continue;
    if (draft.results[i] == kNoValue) return draft.fail("output {} is not made", i);
    INGOT_TRY(define(names[i], draft.results[i], "value"));
  }
  return {};
}

Result<void> GraphBuilder::add_nodes(const NodeList& nodes) {
  for (int i : INGOT_TRY(order_nodes(nodes))) INGOT_TRY(import_node(nodes.Get(i)));
  return {};
}

// An output is a value of its own name: one that is an input, a constant, a second name for a value or an
// output already gets an Identity.
Result<void> GraphBuilder::add_outputs(const pb::GraphDef& proto) {
  if (!proto.output_size()) return invalid("[onnx] graph '{}' has no outputs", graph_.name);
  for (const auto& info : proto.output()) {
    const auto it = scope_.find(info.name());
    if (it == scope_.end())
      return invalid("[onnx] graph '{}': output '{}' is defined nowhere", graph_.name, info.name());
    ValueId v = it->second;
    if (v == kNoValue) return invalid("[onnx] graph '{}': output '{}' is left out", graph_.name, info.name());
    if (graph_.value(v).kind != ValueKind::kNode || graph_.is_output(v))
      v = INGOT_TRY(add_node(Node{.op = Op::kIdentity, .name = info.name(), .inputs = {v}}, {info.name()}, 1))[0];
    graph_.add_output(v);
  }
  return {};
}

Result<Graph> GraphBuilder::build(const pb::GraphDef& proto) {
  graph_.name = proto.name().empty() ? "graph" : proto.name().substr(0, 200);
  INGOT_TRY(add_inputs(proto));
  INGOT_TRY(add_initializers(proto));
  INGOT_TRY(add_nodes(proto.node()));
  INGOT_TRY(add_outputs(proto));
  // What users ask for by name has it, whatever names came up for values in between.
  for (int i = 0; i < proto.output_size(); ++i) {
    const ValueId holder = graph_.find_value(proto.output(i).name());
    if (holder == kNoValue || (graph_.value(holder).kind != ValueKind::kInput && !graph_.is_output(holder)))
      graph_.claim_name(graph_.outputs()[static_cast<size_t>(i)], proto.output(i).name());
  }
  return std::move(graph_);
}

}  // namespace ingot::onnx
