#include "formats/onnx/functions.h"

#include <algorithm>
#include <set>

#include "formats/onnx/graph_builder.h"
#include "formats/onnx/onnx_import.h"

namespace ingot::onnx {
namespace {

std::string function_key(const std::string& domain, const std::string& name, const std::string& overload) {
  return fmt::format("{}\n{}\n{}", domain == "ai.onnx" ? "" : domain, name, overload);
}

std::string label(const pb::Function& f) { return operator_key(f.domain(), f.name()).substr(0, 200); }

}  // namespace

// The calls that a walk is inside of.
struct FunctionTable::Walk {
  std::vector<const pb::Function*> open;
};

Result<FunctionTable> FunctionTable::create(const pb::Model& model) {
  FunctionTable table;
  for (const auto& f : model.functions())
    if (!table.functions_.emplace(function_key(f.domain(), f.name(), f.overload()), &f).second)
      return invalid("[onnx] function '{}' is defined a second time", label(f));
  for (const auto& f : model.functions())
    for (const auto& o : f.opset_import())
      if ((o.domain().empty() || o.domain() == "ai.onnx") &&
          (o.version() < kOnnxOpsetMin || o.version() > kOnnxOpsetMax))
        return unimplemented("[onnx] function '{}': opset {} is not in [{}, {}]", label(f), o.version(), kOnnxOpsetMin,
                             kOnnxOpsetMax);
  Walk walk;
  for (const auto& f : model.functions()) INGOT_TRY(table.check_calls(f, walk, 0));
  return table;
}

const pb::Function* FunctionTable::find(const pb::NodeDef& call) const {
  if (functions_.empty()) return nullptr;
  const auto it = functions_.find(function_key(call.domain(), call.op_type(), call.overload()));
  return it == functions_.end() ? nullptr : it->second;
}

Result<void> FunctionTable::check_calls(const pb::Function& function, Walk& walk, int depth) {
  for (size_t i = 0; i < walk.open.size(); ++i) {
    if (walk.open[i] != &function) continue;
    std::string path;
    for (size_t k = i; k < walk.open.size(); ++k) path += label(*walk.open[k]) + " -> ";
    return invalid("[onnx] function '{}' calls itself: {}{}", label(function), path, label(function));
  }
  if (sizes_.contains(&function)) return {};
  if (depth > limits::kFunctionDepthMax)
    return invalid("[onnx] function '{}' is called through more than {} others", label(function),
                   limits::kFunctionDepthMax);
  walk.open.push_back(&function);
  INGOT_TRY(check_nodes(function.node(), walk, depth));
  walk.open.pop_back();
  // What a call costs besides its nodes: its scope.
  const int64_t scope = function.input_size() + function.attribute_size() + function.attribute_proto_size() +
                        function.opset_import_size();
  sizes_[&function] = std::min(count_expanded(function.node()) + 1 + scope, limits::kGraphNodesMax + 1);
  return {};
}

int64_t FunctionTable::count_expanded(const NodeList& nodes) const {
  int64_t count = 0;
  for (const auto& n : nodes) {
    const pb::Function* f = find(n);
    count += f ? sizes_.at(f) : 1;
    for (const auto& a : n.attribute())
      if (a.has_g()) count += count_expanded(a.g().node());
    count = std::min(count, limits::kGraphNodesMax + 1);
  }
  return count;
}

Result<void> FunctionTable::check_nodes(const NodeList& nodes, Walk& walk, int depth) {
  for (const auto& n : nodes) {
    if (const pb::Function* f = find(n)) INGOT_TRY(check_calls(*f, walk, depth + 1));
    for (const auto& a : n.attribute())
      if (a.has_g()) INGOT_TRY(check_nodes(a.g().node(), walk, depth));
  }
  return {};
}

Result<const pb::AttributeDef*> resolve(const pb::AttributeDef& attribute, const Expansion* expansion) {
  if (attribute.ref_attr_name().empty()) return &attribute;
  if (!expansion)
    return invalid("[onnx] attribute '{}' refers to a function's attribute outside a function",
                   attribute.name().substr(0, 200));
  const auto it = expansion->attributes.find(attribute.ref_attr_name());
  if (it != expansion->attributes.end()) return it->second;
  for (const auto& name : expansion->function->attribute())
    if (name == attribute.ref_attr_name()) return nullptr;
  return invalid("[onnx] attribute '{}' refers to '{}', which function '{}' does not have",
                 attribute.name().substr(0, 200), attribute.ref_attr_name().substr(0, 200),
                 label(*expansion->function));
}

namespace {

Result<Expansion> expand(const pb::NodeDef& call, const pb::Function& f, const Expansion* outer) {
  const auto fail = [&](std::string_view what, const std::string& name) {
    return invalid("[onnx] '{}', a call of function '{}', {} '{}'", call.name().substr(0, 200), label(f), what,
                   name.substr(0, 200));
  };
  Expansion e{.function = &f, .attributes = {}, .opsets = {}, .prefix = outer ? outer->prefix : ""};
  e.prefix += (call.name().empty() ? f.name() : call.name()).substr(0, 200) + "/";
  if (e.prefix.size() > limits::kTensorNameBytesMax) e.prefix.clear();
  for (const auto& o : f.opset_import()) e.opsets[o.domain() == "ai.onnx" ? "" : o.domain()] = o.version();
  std::set<std::string> names(f.attribute().begin(), f.attribute().end());
  for (const auto& a : f.attribute_proto()) {
    e.attributes[a.name()] = &a;
    names.insert(a.name());
  }
  for (const auto& a : call.attribute()) {
    if (!names.contains(a.name())) return fail("has the unknown attribute", a.name());
    const pb::AttributeDef* value = INGOT_TRY(resolve(a, outer));
    if (value && value->type() == pb::AttributeDef::GRAPH) return fail("gives it a graph as", a.name());
    if (value) e.attributes[a.name()] = value;
  }
  return e;
}

}  // namespace

Result<ValueId> GraphBuilder::result_of(const pb::NodeDef& call, const pb::Function& function,
                                        const std::string& name) const {
  const auto it = scope_.find(name);
  if (it != scope_.end() && it->second != kNoValue) return it->second;
  return invalid("[onnx] '{}', a call of function '{}': its output '{}' is defined nowhere", call.name().substr(0, 200),
                 label(function), name.substr(0, 200));
}

Result<void> GraphBuilder::import_call(const pb::NodeDef& call, const pb::Function& f) {
  if (call.input_size() > f.input_size() || call.output_size() > f.output_size())
    return invalid("[onnx] '{}', a call of function '{}', has {} inputs and {} outputs, the function {} and {}",
                   call.name().substr(0, 200), label(f), call.input_size(), call.output_size(), f.input_size(),
                   f.output_size());
  const Expansion expansion = INGOT_TRY(expand(call, f, expansion_));
  std::unordered_map<std::string, ValueId> inner;
  for (int i = 0; i < f.input_size(); ++i) {
    const bool given = i < call.input_size() && !call.input(i).empty();
    if (!inner.emplace(f.input(i), given ? scope_.at(call.input(i)) : kNoValue).second)
      return invalid("[onnx] function '{}': input '{}' is defined a second time", label(f), f.input(i).substr(0, 200));
  }
  std::swap(scope_, inner);
  const Expansion* outer = std::exchange(expansion_, &expansion);
  const auto imported = add_nodes(f.node());
  std::vector<ValueId> results;
  std::optional<Status> missing;
  for (int i = 0; imported && i < call.output_size(); ++i) {
    auto v = result_of(call, f, f.output(i));
    if (!v && !call.output(i).empty()) missing = v.error();
    results.push_back(v.value_or(kNoValue));
  }
  std::swap(scope_, inner);
  expansion_ = outer;
  if (!imported) return std::unexpected(imported.error().with_context(fmt::format("in function '{}'", label(f))));
  if (missing) return std::unexpected(*missing);
  for (int i = 0; i < call.output_size(); ++i)
    if (!call.output(i).empty()) INGOT_TRY(define(call.output(i), results[static_cast<size_t>(i)], "value"));
  return {};
}

}  // namespace ingot::onnx
