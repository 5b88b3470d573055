// Nested graphs: branches of If, bodies of Loop, Scan and SequenceMap. Each becomes a closed graph: what it reads from
// outside is an operand of its node, after all others.
#include <algorithm>

#include "formats/onnx/graph_builder.h"

namespace ingot::onnx {
namespace {

// Types that one more build of a body may widen dimension by dimension; after that they lose their shape.
constexpr int kBuildsMax = 4;

// One less dimension; an element of a sequence.
Type slice_of(const Type& t, bool sequences) {
  if (sequences) return t.dtype == DType::kSequence ? t.element() : t;
  if (!t.ranked() || t.dims->empty()) return {t.dtype, std::nullopt};
  return Type::of(t.dtype, Dims(t.dims->begin() + 1, t.dims->end()));
}

// Moves dimension `from` to `to`.
std::vector<int64_t> moved(int rank, int64_t from, int64_t to) {
  std::vector<int64_t> perm;
  for (int d = 0; d < rank; ++d)
    if (d != from) perm.push_back(d);
  perm.insert(perm.begin() + to, from);
  return perm;
}

std::string graph_name(const pb::GraphDef& proto) {
  return proto.name().empty() ? "graph" : proto.name().substr(0, 200);
}

}  // namespace

Result<std::vector<GraphBuilder::Capture>> GraphBuilder::captures_of(const std::vector<const pb::GraphDef*>& graphs,
                                                                     NodeDraft& draft) const {
  std::vector<Capture> captures;
  std::set<std::string> seen;
  for (const pb::GraphDef* graph : graphs)
    for (const auto& name : free_names(*graph)) {
      if (!seen.insert(name).second) continue;
      const auto it = scope_.find(name);
      if (it == scope_.end())
        return draft.fail("its graph '{}' reads '{}', which is defined nowhere", graph->name().substr(0, 200), name);
      if (it->second == kNoValue)
        captures.push_back({.name = name, .known = {}, .absent = true});
      else
        captures.push_back({name, known_[static_cast<size_t>(it->second)], graph_.constant(it->second)});
    }
  return captures;
}

void GraphBuilder::append_captures(const std::vector<Capture>& captures, NodeDraft& draft) const {
  for (const Capture& c : captures)
    if (!c.constant && !c.absent) draft.node.inputs.push_back(scope_.at(c.name));
}

Result<void> GraphBuilder::add_captures(const std::vector<Capture>& captures) {
  for (const Capture& c : captures) {
    if (c.absent) {
      INGOT_TRY(define(c.name, kNoValue, "capture"));
    } else if (c.constant) {
      INGOT_TRY(define(c.name, add_constant(c.name, *c.constant), "capture"));
    } else {
      const ValueId v = graph_.add_input(c.name, c.known.type);
      set_known(v, c.known);
      INGOT_TRY(define(c.name, v, "capture"));
    }
  }
  return {};
}

Result<Graph> GraphBuilder::build_nested(const pb::GraphDef& proto, const std::vector<BodyInput>& inputs,
                                         const std::vector<Capture>& captures) {
  if (depth_ > limits::kSubgraphDepthMax)
    return invalid("[onnx] graph '{}' is nested deeper than the limit {}", graph_name(proto),
                   limits::kSubgraphDepthMax);
  graph_.name = graph_name(proto);
  for (const BodyInput& in : inputs) {
    const ValueId v = graph_.add_input(in.name, in.type);
    set_known(v, {in.type, std::nullopt, nullptr});
    INGOT_TRY(define(in.name, v, "input"));
  }
  INGOT_TRY(add_captures(captures));
  INGOT_TRY(add_initializers(proto));
  INGOT_TRY(add_nodes(proto.node()));
  INGOT_TRY(add_outputs(proto));
  return std::move(graph_);
}

Result<const pb::GraphDef*> GraphBuilder::body_of(const pb::NodeDef& proto, NodeDraft& draft) const {
  const pb::GraphDef* body = nullptr;
  for (const auto& a : proto.attribute())
    if (a.name() == "body" && a.type() == pb::AttributeDef::GRAPH) body = body ? nullptr : &a.g();
  if (!body) return draft.fail("needs one body");
  return body;
}

Result<void> GraphBuilder::import_subgraphs(const pb::NodeDef& proto, NodeDraft& draft) {
  if (draft.op_type == "If") return import_if(proto, draft);
  if (draft.op_type == "Loop") return import_loop(proto, draft);
  if (draft.op_type == "Scan") return draft.opset < 9 ? import_scan_8(proto, draft) : import_scan(proto, draft);
  if (draft.op_type == "SequenceMap") return import_sequence_map(proto, draft);
  if (draft.op_type == "ai.onnx.preview.FlexAttention") return import_flex_attention(proto, draft);
  for (const auto& a : proto.attribute())
    if (a.type() == pb::AttributeDef::GRAPH) return draft.fail("attribute '{}' is a graph", a.name().substr(0, 200));
  return {};
}

std::optional<bool> GraphBuilder::condition_of(ValueId v) const {
  const Tensor* t = graph_.constant(v);
  if (t && t->dtype() == DType::kBool && t->shape().num_elements() == 1) return *t->as<uint8_t>() != 0;
  const KnownElements& e = known_[static_cast<size_t>(v)].elements;
  if (!e || e->size() != 1 || !(*e)[0].is_const()) return std::nullopt;
  return (*e)[0].value() != 0;
}

Result<void> GraphBuilder::import_if(const pb::NodeDef& proto, NodeDraft& draft) {
  // A condition that is known leaves one branch; the other may not even fit the shapes.
  std::string_view only;
  if (draft.has_input(0))
    if (const auto known = condition_of(draft.node.inputs[0])) only = *known ? "then_branch" : "else_branch";
  std::vector<std::pair<std::string, const pb::GraphDef*>> branches;
  std::vector<const pb::GraphDef*> graphs;
  for (const auto& a : proto.attribute()) {
    if (a.type() != pb::AttributeDef::GRAPH) continue;
    if (a.g().input_size()) return draft.fail("its graph '{}' declares inputs", a.name());
    for (const auto& [name, graph] : branches)
      if (name == a.name()) return draft.fail("attribute '{}' is given twice", a.name());
    branches.emplace_back(a.name(), &a.g());
    graphs.push_back(&a.g());
  }
  draft.node.inputs.resize(1, kNoValue);
  const std::vector<Capture> captures = INGOT_TRY(captures_of(graphs, draft));
  append_captures(captures, draft);
  for (const auto& [name, graph] : branches) {
    if (!only.empty() && name != only) continue;
    auto branch = GraphBuilder(*this, nullptr).build_nested(*graph, {}, captures);
    if (!branch) return std::unexpected(branch.error().with_context(fmt::format("{} of '{}'", name, proto.name())));
    draft.node.subgraphs.emplace_back(name, std::make_shared<Graph>(*std::move(branch)));
  }
  if (!only.empty() && draft.node.subgraphs.size() == 1)
    draft.node.subgraphs.emplace_back(only == "then_branch" ? "else_branch" : "then_branch",
                                      draft.node.subgraphs[0].second);
  return {};
}

Result<Graph> GraphBuilder::build_carrying(const pb::GraphDef& body, std::vector<BodyInput> inputs, size_t first,
                                           size_t carried, size_t first_output, const std::vector<Capture>& captures,
                                           NodeDraft& draft, std::vector<bool>* unwrapped) {
  unwrapped->assign(carried, false);
  for (int build = 0;; ++build) {
    auto built = GraphBuilder(*this, nullptr).build_nested(body, inputs, captures);
    if (!built) return std::unexpected(built.error().with_context(fmt::format("body of '{}'", draft.node.name)));
    bool wider = false;
    for (size_t i = 0; i < carried; ++i) {
      Type& type = inputs[first + i].type;
      ValueId& out = built->mutable_outputs()[first_output + i];
      if (type.dtype == DType::kOptional && built->value(out).type.dtype != DType::kOptional) {
        out = INGOT_TRY(built->add(Op::kOptional, {out}));
        (*unwrapped)[i] = true;
      }
      const Type& made = built->value(out).type;
      auto joined = join(type, made);
      if (!joined)
        return draft.fail("carried value '{}' is {} and then {}", inputs[first + i].name, type.to_string(),
                          made.to_string());
      if (joined->to_string() == type.to_string()) continue;  // unlike ==, which knows no equal unknowns
      if (build + 1 >= kBuildsMax && !type.is_container()) joined->dims.reset();
      if (build > kBuildsMax + limits::kRankMax) return draft.fail("the types of its carried values never settle");
      type = *std::move(joined);
      wider = true;
    }
    if (!wider) return built;
  }
}

Result<void> GraphBuilder::import_loop(const pb::NodeDef& proto, NodeDraft& draft) {
  const pb::GraphDef& body = *INGOT_TRY(body_of(proto, draft));
  std::vector<ValueId>& operands = draft.node.inputs;
  if (operands.size() < 2) operands.resize(2, kNoValue);
  const int carried = static_cast<int>(operands.size()) - 2, scanned = body.output_size() - 1 - carried;
  if (body.input_size() != carried + 2 || scanned < 0)
    return draft.fail("carries {} values, its body has {} inputs and {} outputs", carried, body.input_size(),
                      body.output_size());
  std::vector<BodyInput> inputs;
  for (int i = 0; i < carried + 2; ++i) {
    Type type{i == 0 ? DType::kI64 : DType::kBool, Dims()};
    const auto& declared = body.input(i).type().tensor_type();
    if (i < 2 && declared.has_shape() && declared.shape().dim_size() == 1) type.dims = Dims{Dim(1)};
    const ValueId v = operands[static_cast<size_t>(i)];
    if (i >= 2 && v == kNoValue) return draft.fail("carried value {} is missing", i - 2);
    inputs.push_back({body.input(i).name(), i < 2 ? type : known(v).type});
  }
  const std::vector<Capture> captures = INGOT_TRY(captures_of({&body}, draft));
  std::vector<bool> unwrapped;
  Graph graph =
      INGOT_TRY(build_carrying(body, inputs, 2, static_cast<size_t>(carried), 1, captures, draft, &unwrapped));
  append_captures(captures, draft);
  draft.node.subgraphs.emplace_back("body", std::make_shared<Graph>(std::move(graph)));
  draft.attributes().set("num_carried", int64_t{carried});
  const size_t outputs = static_cast<size_t>(carried + scanned);
  if (outputs < draft.num_outputs || outputs == 0)
    return draft.fail("has {} outputs, its body gives {}", draft.num_outputs, outputs);
  std::vector<std::string> names(proto.output().begin(), proto.output().end());
  draft.results = INGOT_TRY(add_node(draft.node, names, outputs));
  for (size_t i = 0; i < unwrapped.size(); ++i)
    if (unwrapped[i]) draft.results[i] = INGOT_TRY(draft.add(Op::kOptionalGetElement, {draft.results[i]}));
  return {};
}

// One axis for each of `count`, 0 by default.
Result<std::vector<int64_t>> GraphBuilder::scan_axes(NodeDraft& draft, std::string_view attribute, size_t count) const {
  const auto given = draft.take(attribute);
  std::vector<int64_t> axes = given ? std::get<std::vector<int64_t>>(*given) : std::vector<int64_t>(count, 0);
  if (axes.size() != count) return draft.fail("{} has {} axes, not {}", attribute, axes.size(), count);
  return axes;
}

Result<void> GraphBuilder::import_scan(const pb::NodeDef& proto, NodeDraft& draft) {
  const pb::GraphDef& body = *INGOT_TRY(body_of(proto, draft));
  std::vector<ValueId>& operands = draft.node.inputs;
  const int64_t sliced = draft.attributes().get_int("num_scan_inputs");
  if (sliced < 1 || sliced > static_cast<int64_t>(operands.size()))
    return draft.fail("num_scan_inputs is {} of {} operands", sliced, operands.size());
  const int64_t carried = static_cast<int64_t>(operands.size()) - sliced, scanned = body.output_size() - carried;
  if (scanned < 0 || body.input_size() != static_cast<int>(operands.size()) || body.output_size() == 0)
    return draft.fail("has {} operands, {} of them sliced; its body has {} inputs and {} outputs", operands.size(),
                      sliced, body.input_size(), body.output_size());
  const auto in_axes = INGOT_TRY(scan_axes(draft, "scan_input_axes", static_cast<size_t>(sliced)));
  const auto out_axes = INGOT_TRY(scan_axes(draft, "scan_output_axes", static_cast<size_t>(scanned)));
  std::vector<BodyInput> inputs;
  for (size_t i = 0; i < operands.size(); ++i) {
    if (operands[i] == kNoValue) return draft.fail("operand {} is missing", i);
    const int64_t slot = static_cast<int64_t>(i) - carried;
    if (slot >= 0 && in_axes[static_cast<size_t>(slot)] != 0) {
      const Type& t = known(operands[i]).type;
      if (!t.ranked())
        return draft.fail("operand {} is sliced along axis {}, but its rank is not known", i,
                          in_axes[static_cast<size_t>(slot)]);
      const auto axis = normalize_axis(in_axes[static_cast<size_t>(slot)], t.rank());
      if (!axis) return draft.fail("operand {}: {}", i, axis.error().message());
      operands[i] = INGOT_TRY(draft.add(Op::kTranspose, {operands[i]}, {{"perm", moved(t.rank(), *axis, 0)}}));
    }
    const Type& type = known(operands[i]).type;
    inputs.push_back({body.input(static_cast<int>(i)).name(), slot < 0 ? type : slice_of(type, false)});
  }
  const std::vector<Capture> captures = INGOT_TRY(captures_of({&body}, draft));
  std::vector<bool> unwrapped;
  Graph graph =
      INGOT_TRY(build_carrying(body, inputs, 0, static_cast<size_t>(carried), 0, captures, draft, &unwrapped));
  append_captures(captures, draft);
  draft.node.subgraphs.emplace_back("body", std::make_shared<Graph>(std::move(graph)));
  draft.attributes().set("num_carried", carried);
  std::vector<std::string> names(proto.output().begin(), proto.output().end());
  draft.results = INGOT_TRY(add_node(draft.node, names, static_cast<size_t>(carried + scanned)));
  for (size_t i = 0; i < out_axes.size(); ++i) {
    if (out_axes[i] == 0) continue;
    ValueId& v = draft.results[static_cast<size_t>(carried) + i];
    const Type& t = known(v).type;
    if (!t.ranked()) return draft.fail("output {} is stacked along axis {}, but its rank is not known", i, out_axes[i]);
    const auto axis = normalize_axis(out_axes[i], t.rank());
    if (!axis) return draft.fail("output {}: {}", i, axis.error().message());
    v = INGOT_TRY(draft.add(Op::kTranspose, {v}, {{"perm", moved(t.rank(), 0, *axis)}}));
  }
  return {};
}

// Version 8 had a batch: an outer Scan over it, whose body is the Scan of today.
Result<void> GraphBuilder::import_scan_8(const pb::NodeDef& proto, NodeDraft& draft) {
  const pb::GraphDef& body = *INGOT_TRY(body_of(proto, draft));
  if (draft.has_input(0)) return draft.unsupported("sequence_lens");
  std::vector<ValueId>& operands = draft.node.inputs;
  if (operands.size() < 2) return draft.fail("goes through nothing");
  operands.erase(operands.begin());
  const auto directions = draft.take("directions");
  GraphBuilder batch(*this, nullptr);
  batch.graph_.name = graph_name(body) + "_batch";
  NodeDraft inner{.builder = batch, .op_type = draft.op_type, .opset = 9, .node = {}};
  inner.node.op = Op::kScan;
  inner.node.name = draft.node.name;
  inner.attributes().set("num_scan_inputs", draft.attributes().get_int("num_scan_inputs"));
  if (directions) inner.attributes().set("scan_input_directions", *directions);
  for (size_t i = 0; i < operands.size(); ++i) {
    if (operands[i] == kNoValue) return draft.fail("operand {} is missing", i);
    const Type type = slice_of(known(operands[i]).type, false);
    const ValueId v = batch.graph_.add_input(fmt::format("{}_of_batch", i), type);
    batch.set_known(v, {type, std::nullopt, nullptr});
    inner.node.inputs.push_back(v);
  }
  const std::vector<Capture> captures = INGOT_TRY(captures_of({&body}, draft));
  INGOT_TRY(batch.add_captures(captures));
  pb::NodeDef unnamed = proto;
  unnamed.clear_output();
  INGOT_TRY(batch.import_scan(unnamed, inner));
  for (ValueId v : inner.results) batch.graph_.add_output(v);
  draft.attributes() = {{"num_carried", int64_t{0}}, {"num_scan_inputs", static_cast<int64_t>(operands.size())}};
  append_captures(captures, draft);
  draft.node.subgraphs.emplace_back("body", std::make_shared<Graph>(std::move(batch.graph_)));
  std::vector<std::string> names(proto.output().begin(), proto.output().end());
  draft.results = INGOT_TRY(add_node(draft.node, names, inner.results.size()));
  return {};
}

Result<void> GraphBuilder::import_sequence_map(const pb::NodeDef& proto, NodeDraft& draft) {
  const pb::GraphDef& body = *INGOT_TRY(body_of(proto, draft));
  std::vector<ValueId>& operands = draft.node.inputs;
  if (operands.empty() || body.input_size() != static_cast<int>(operands.size()))
    return draft.fail("has {} operands, its body {} inputs", operands.size(), body.input_size());
  std::vector<BodyInput> inputs;
  for (size_t i = 0; i < operands.size(); ++i) {
    if (operands[i] == kNoValue) return draft.fail("operand {} is missing", i);
    inputs.push_back({body.input(static_cast<int>(i)).name(), slice_of(known(operands[i]).type, true)});
  }
  const std::vector<Capture> captures = INGOT_TRY(captures_of({&body}, draft));
  auto graph = GraphBuilder(*this, nullptr).build_nested(body, inputs, captures);
  if (!graph) return std::unexpected(graph.error().with_context(fmt::format("body of '{}'", draft.node.name)));
  draft.attributes().set("num_scan_inputs", static_cast<int64_t>(operands.size()));
  append_captures(captures, draft);
  draft.num_outputs = graph->outputs().size();
  draft.node.subgraphs.emplace_back("body", std::make_shared<Graph>(*std::move(graph)));
  return {};
}

}  // namespace ingot::onnx
