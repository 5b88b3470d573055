#include "ir/infer.h"

#include <algorithm>

namespace ingot {
namespace {

template <class T>
Dims copy_elements(const Tensor& t) {
  const T* p = t.as<T>();
  return Dims(p, p + t.shape().num_elements());
}

KnownElements constant_elements(const Tensor& t) {
  if (t.shape().rank() > 1 || t.shape().num_elements() > static_cast<int64_t>(kKnownElementsMax)) return std::nullopt;
  switch (t.dtype()) {
    case DType::kI64: return copy_elements<int64_t>(t);
    case DType::kI32: return copy_elements<int32_t>(t);
    case DType::kI16: return copy_elements<int16_t>(t);
    case DType::kI8: return copy_elements<int8_t>(t);
    case DType::kU8: return copy_elements<uint8_t>(t);
    case DType::kU16: return copy_elements<uint16_t>(t);
    case DType::kU32: return copy_elements<uint32_t>(t);
    case DType::kBool: return copy_elements<uint8_t>(t);
    default: return std::nullopt;
  }
}

// What a graph knows of a value before it runs.
InferredValue seen(const Graph& graph, ValueId v) {
  if (v == kNoValue) return {};
  const Value& value = graph.value(v);
  return {value.type, std::nullopt, graph.constant(v)};
}

std::string range_text(int min, int max) {
  if (min == max) return std::to_string(min);
  return max < 0 ? fmt::format("at least {}", min) : fmt::format("{} to {}", min, max);
}

}  // namespace

KnownElements InferContext::elements(int i) const {
  if (!has_input(i)) return std::nullopt;
  const InferredValue& v = inputs_[static_cast<size_t>(i)];
  if (v.elements) return v.elements;
  return v.constant && v.constant->defined() ? constant_elements(*v.constant) : std::nullopt;
}

Result<void> infer_node(InferContext& c) {
  const OpSchema& s = op_schema(c.node().op);
  if (c.num_inputs() < s.inputs_min || (s.inputs_max >= 0 && c.num_inputs() > s.inputs_max))
    return c.fail("has {} inputs, needs {}", c.num_inputs(), range_text(s.inputs_min, s.inputs_max));
  for (int i = 0; i < s.inputs_min; ++i)
    if (!c.has_input(i)) return c.fail("input {} is missing", i);
  if (c.num_outputs() < s.outputs_min || (s.outputs_max >= 0 && c.num_outputs() > s.outputs_max))
    return c.fail("has {} outputs, needs {}", c.num_outputs(), range_text(s.outputs_min, s.outputs_max));
  for (int i = 0; i < c.num_inputs() && !(s.flags & kOpContainers); ++i)
    if (c.has_input(i) && c.type(i).is_container())
      return c.fail("operand {} is {}, not a tensor", i, c.type(i).to_string());
  if (const std::string problem = c.attributes().find_problem(); !problem.empty()) return c.fail("{}", problem);
  INGOT_TRY(s.infer(c));
  for (int i = 0; i < c.num_outputs(); ++i)
    if (const std::string problem = c.output_type(i).find_problem(); !problem.empty())
      return c.fail("result {}: {}", i, problem);
  return {};
}

Result<std::vector<Type>> infer_types(const Graph& graph, const Node& node, int num_outputs) {
  std::vector<InferredValue> in, out(static_cast<size_t>(num_outputs));
  for (ValueId v : node.inputs) in.push_back(seen(graph, v));
  InferContext context(node, in, out);
  INGOT_TRY(infer_node(context));
  std::vector<Type> types;
  for (auto& o : out) types.push_back(std::move(o.type));
  return types;
}

Result<std::vector<InferredValue>> infer_graph(const Graph& graph, std::span<const InferredValue> inputs,
                                               std::span<const InferredValue> states) {
  INGOT_CHECK(inputs.size() == graph.inputs().size());
  INGOT_CHECK(states.empty() || states.size() == graph.states().size());
  std::vector<InferredValue> known(graph.num_values());
  for (size_t v = 0; v < known.size(); ++v) {
    const ValueKind kind = graph.value(ValueId{static_cast<int32_t>(v)}).kind;
    if (kind == ValueKind::kConstant || kind == ValueKind::kState)
      known[v] = seen(graph, ValueId{static_cast<int32_t>(v)});
  }
  for (size_t i = 0; i < inputs.size(); ++i) known[static_cast<size_t>(graph.inputs()[i])] = inputs[i];
  for (size_t i = 0; i < states.size(); ++i) known[static_cast<size_t>(graph.states()[i])] = states[i];
  std::vector<InferredValue> in, out;
  for (NodeId n : graph.order()) {
    const Node& node = graph.node(n);
    in.clear();
    for (ValueId v : node.inputs) in.push_back(v == kNoValue ? InferredValue{} : known[static_cast<size_t>(v)]);
    out.assign(node.outputs.size(), {});
    InferContext context(node, in, out);
    INGOT_TRY(infer_node(context));
    for (size_t i = 0; i < out.size(); ++i) known[static_cast<size_t>(node.outputs[i])] = std::move(out[i]);
  }
  return known;
}

Result<Dims> broadcast(const Dims& a, const Dims& b) {
  Dims out(std::max(a.size(), b.size()));
  for (size_t i = 0; i < out.size(); ++i) {
    const Dim da = i < a.size() ? a[a.size() - 1 - i] : Dim(1);
    const Dim db = i < b.size() ? b[b.size() - 1 - i] : Dim(1);
    Dim& o = out[out.size() - 1 - i];
    if (da.is_const(1))
      o = db;
    else if (db.is_const(1) || da == db)
      o = da;
    else if (da.is_const() && db.is_const())
      return invalid("shapes {} and {} do not broadcast", Type::of(DType::kF32, a).to_string(),
                     Type::of(DType::kF32, b).to_string());
    else
      o = da.is_const() ? da : (db.is_const() ? db : Dim::unknown());
  }
  return out;
}

Result<int> normalize_axis(int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) return invalid("axis {} is not in [{}, {})", axis, -rank, rank);
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

Result<void> require_index(InferContext& c, int i) {
  if (!c.has_input(i) || c.type(i).dtype == DType::kI64 || c.type(i).dtype == DType::kI32) return {};
  return c.fail("operand {} is {}, not i64 or i32", i, c.type(i).to_string());
}

Result<void> require_index_list(InferContext& c, int i) {
  INGOT_TRY(require_index(c, i));
  if (!c.has_input(i) || !c.ranked(i)) return {};
  if (c.rank(i) > 1) return c.fail("operand {} is {}, not a list", i, c.type(i).to_string());
  if (c.rank(i) == 1 && c.dims(i)[0].is_const() && c.dims(i)[0].value() > static_cast<int64_t>(kKnownElementsMax))
    return c.fail("operand {} has {} elements, the limit is {}", i, c.dims(i)[0].value(), kKnownElementsMax);
  return {};
}

Result<void> require_dtype(InferContext& c, int i, DType dtype) {
  if (!c.has_input(i) || c.type(i).dtype == dtype) return {};
  return c.fail("operand {} is {}, not {}", i, c.type(i).to_string(), dtype_name(dtype));
}

Result<void> require_elements(InferContext& c, int i, int64_t count) {
  if (!c.has_input(i) || !c.ranked(i)) return {};
  const auto shape = c.type(i).concrete();
  if (shape && shape->num_elements() != count)
    return c.fail("operand {} is {}, needs {} elements", i, c.type(i).to_string(), count);
  return {};
}

Result<void> require_broadcasts_to(InferContext& c, int i, const Dims& to) {
  if (!c.has_input(i) || !c.ranked(i)) return {};
  const Dims& from = c.dims(i);
  bool fits = from.size() <= to.size();
  for (size_t k = 1; fits && k <= from.size(); ++k) {
    const Dim &d = from[from.size() - k], &wanted = to[to.size() - k];
    fits = d.is_const(1) || !d.is_const() || !wanted.is_const() || d == wanted;
  }
  if (fits) return {};
  return c.fail("operand {} ({}) does not broadcast to {}", i, c.type(i).to_string(),
                Type::of(c.type(i).dtype, to).to_string());
}

Result<void> infer_same(InferContext& c) {
  for (int i = 0; i < c.num_outputs(); ++i) c.set(i, c.type(0));
  return {};
}

Result<void> infer_identity(InferContext& c) {
  c.set(0, c.type(0));
  if (auto e = c.elements(0)) c.set_elements(0, *e);
  return {};
}

Result<void> infer_arithmetic(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  if (c.type(1).dtype != dtype) return c.fail("operands are {} and {}", c.type(0).to_string(), c.type(1).to_string());
  if (!c.ranked(0) || !c.ranked(1)) return c.set_unranked(0, dtype), Result<void>{};
  auto dims = broadcast(c.dims(0), c.dims(1));
  if (!dims) return c.fail("{}", dims.error().message());
  c.set(0, dtype, *dims);
  const auto a = c.elements(0), b = c.elements(1);
  if (!a || !b || a->empty() || b->empty() || dims->size() > 1) return {};
  if (a->size() != b->size() && a->size() != 1 && b->size() != 1) return {};
  Dims out;
  for (size_t i = 0; i < std::max(a->size(), b->size()); ++i) {
    const Dim &x = (*a)[a->size() == 1 ? 0 : i], &y = (*b)[b->size() == 1 ? 0 : i];
    switch (c.node().op) {
      case Op::kAdd: out.push_back(x + y); break;
      case Op::kSub: out.push_back(x - y); break;
      case Op::kMul: out.push_back(x * y); break;
      case Op::kDiv:
        // ONNX integer division truncates; for the sizes that meet here it equals the floor.
        if (y.is_const(0) || (x.is_const() && x.value() < 0) || (y.is_const() && y.value() < 0)) return {};
        out.push_back(floor_div(x, y));
        break;
      default: return {};
    }
  }
  c.set_elements(0, std::move(out));
  return {};
}

}  // namespace ingot
