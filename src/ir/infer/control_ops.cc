// Inference of the ops that run subgraphs. A subgraph's own types are recorded in it; what follows from them and from
// the operands is joined here.
#include <algorithm>

#include "ir/infer.h"

namespace ingot {
namespace {

// The first dimension of what Scan goes through is gone.
std::optional<Type> slice_of(const Type& t) {
  if (!t.ranked()) return t;
  if (t.dims->empty()) return std::nullopt;
  Type out = t;
  out.dims->erase(out.dims->begin());
  return out;
}

const Type& output_of(const Graph& body, size_t i) { return body.value(body.outputs()[i]).type; }
const Type& input_of(const Graph& body, size_t i) { return body.value(body.inputs()[i]).type; }

// `body` of a node whose operands are as many as the body's inputs.
Result<const Graph*> body_of(InferContext& c, int64_t outputs_min) {
  const Graph* body = c.node().subgraph("body");
  if (!body || c.node().subgraphs.size() != 1) return c.fail("needs one body");
  if (body->inputs().size() != static_cast<size_t>(c.num_inputs()))
    return c.fail("has {} operands, its body {} inputs", c.num_inputs(), body->inputs().size());
  if (static_cast<int64_t>(body->outputs().size()) < outputs_min)
    return c.fail("its body has {} outputs, needs {}", body->outputs().size(), outputs_min);
  return body;
}

Result<int64_t> count_attribute(InferContext& c, std::string_view name, int64_t max) {
  const int64_t n = c.attributes().get_int(name);
  if (n < 0 || n > max) return c.fail("{} is {}, not in [0, {}]", name, n, max);
  return n;
}

// A carried value before, between and after iterations.
Result<Type> carried_type(InferContext& c, int operand, const Type& input, const Type& output) {
  auto joined = join(input, output);
  if (joined) joined = join(*joined, c.type(operand));
  if (!joined)
    return c.fail("carried value {} is {} at first, {} in the body and {} after it", operand,
                  c.type(operand).to_string(), input.to_string(), output.to_string());
  return *joined;
}

// What is stacked along a new first dimension.
Result<Type> stacked_type(InferContext& c, const Type& t, const Dim& count) {
  if (t.is_container()) return c.fail("its body scans {}, not a tensor", t.to_string());
  if (!t.ranked()) return t;
  Type out = t;
  out.dims->insert(out.dims->begin(), count);
  return out;
}

Result<void> require_scalar(InferContext& c, int i, DType dtype) {
  if (!c.has_input(i)) return {};
  const auto shape = c.type(i).concrete();
  if (c.type(i).dtype == dtype && (!shape || shape->num_elements() == 1)) return {};
  return c.fail("operand {} is {}, not one {}", i, c.type(i).to_string(), dtype_name(dtype));
}

}  // namespace

std::optional<Type> subgraph_input(const Node& node, const std::vector<const Type*>& operands, size_t i) {
  const size_t operand = node.op == Op::kIf ? i + 1 : i;
  if (operand >= operands.size()) return std::nullopt;
  if (node.op == Op::kLoop && i < 2) return Type{i == 0 ? DType::kI64 : DType::kBool, std::nullopt};
  if (!operands[operand]) return std::nullopt;
  const Type& t = *operands[operand];
  const auto count = [&](std::string_view name) { return static_cast<size_t>(node.attributes.get_int(name)); };
  if (node.op == Op::kScan && i >= count("num_carried") && i < count("num_carried") + count("num_scan_inputs"))
    return slice_of(t);
  if (node.op == Op::kSequenceMap && i < count("num_scan_inputs") && t.dtype == DType::kSequence) return t.element();
  return t;
}

// The branches' output types, joined: what both agree on. Operands after the condition are the captures.
Result<void> infer_if(InferContext& c) {
  const Graph *then_graph = c.node().subgraph("then_branch"), *else_graph = c.node().subgraph("else_branch");
  if (!then_graph || !else_graph) return c.fail("needs then_branch and else_branch");
  INGOT_TRY(require_scalar(c, 0, DType::kBool));
  const size_t n = static_cast<size_t>(c.num_outputs());
  if (then_graph->outputs().size() != n || else_graph->outputs().size() != n)
    return c.fail("has {} outputs, its branches {} and {}", n, then_graph->outputs().size(),
                  else_graph->outputs().size());
  for (size_t i = 0; i < n; ++i) {
    const Type &a = output_of(*then_graph, i), &b = output_of(*else_graph, i);
    auto joined = join(a, b);
    if (!joined) return c.fail("output {} is {} in one branch, {} in the other", i, a.to_string(), b.to_string());
    c.set(static_cast<int>(i), *std::move(joined));
  }
  return {};
}

Result<void> infer_loop(InferContext& c) {
  INGOT_TRY(require_scalar(c, 0, DType::kI64));
  INGOT_TRY(require_scalar(c, 1, DType::kBool));
  const int64_t carried = INGOT_TRY(count_attribute(c, "num_carried", std::min(c.num_inputs() - 2, c.num_outputs())));
  const Graph& body = *INGOT_TRY(body_of(c, 1 + carried));
  if (body.outputs().size() != static_cast<size_t>(1 + c.num_outputs()))
    return c.fail("has {} outputs, its body {}", c.num_outputs(), body.outputs().size());
  const auto next = output_of(body, 0).concrete();
  if (output_of(body, 0).dtype != DType::kBool || (next && next->num_elements() != 1))
    return c.fail("its body's condition is {}", output_of(body, 0).to_string());
  for (int i = 0; i < c.num_outputs(); ++i) {
    const Type& made = output_of(body, static_cast<size_t>(1 + i));
    if (i >= carried)
      c.set(i, INGOT_TRY(stacked_type(c, made, Dim::unknown())));
    else if (!c.has_input(2 + i))
      return c.fail("carried value {} is missing", i);
    else
      c.set(i, INGOT_TRY(carried_type(c, 2 + i, input_of(body, static_cast<size_t>(2 + i)), made)));
  }
  return {};
}

Result<void> infer_scan(InferContext& c) {
  const int64_t carried = INGOT_TRY(count_attribute(c, "num_carried", std::min(c.num_inputs(), c.num_outputs())));
  const int64_t sliced = INGOT_TRY(count_attribute(c, "num_scan_inputs", c.num_inputs() - carried));
  if (sliced < 1) return c.fail("goes through nothing");
  const Graph& body = *INGOT_TRY(body_of(c, carried));
  if (body.outputs().size() != static_cast<size_t>(c.num_outputs()))
    return c.fail("has {} outputs, its body {}", c.num_outputs(), body.outputs().size());
  for (const auto& [name, count] :
       {std::pair{"scan_input_directions", sliced}, std::pair{"scan_output_directions", c.num_outputs() - carried}}) {
    const std::vector<int64_t> directions = c.attributes().get_ints(name);
    bool fits = directions.empty() || static_cast<int64_t>(directions.size()) == count;
    for (int64_t d : directions) fits &= d == 0 || d == 1;
    if (!fits) return c.fail("{} are not {} of 0 or 1", name, count);
  }
  Dim length = Dim::unknown();
  for (int64_t i = carried; i < carried + sliced; ++i) {
    const int operand = static_cast<int>(i);
    if (!c.has_input(operand)) return c.fail("operand {} is missing", i);
    if (!c.ranked(operand)) continue;
    if (c.rank(operand) == 0) return c.fail("operand {} is a scalar: it has no slices", i);
    const Dim& n = c.dims(operand)[0];
    if (length.is_const() && n.is_const() && !(length == n))
      return c.fail("operands of {} and {} slices", length.value(), n.value());
    if (!length.is_const()) length = n;
  }
  for (int i = 0; i < c.num_outputs(); ++i) {
    const Type& made = output_of(body, static_cast<size_t>(i));
    if (i >= carried)
      c.set(i, INGOT_TRY(stacked_type(c, made, length)));
    else if (!c.has_input(i))
      return c.fail("carried value {} is missing", i);
    else
      c.set(i, INGOT_TRY(carried_type(c, i, input_of(body, static_cast<size_t>(i)), made)));
  }
  return {};
}

Result<void> infer_sequence_map(InferContext& c) {
  const int64_t sliced = INGOT_TRY(count_attribute(c, "num_scan_inputs", c.num_inputs()));
  if (sliced < 1 || c.type(0).dtype != DType::kSequence)
    return c.fail("goes through {}, not a sequence", c.type(0).to_string());
  const Graph& body = *INGOT_TRY(body_of(c, 1));
  if (body.outputs().size() != static_cast<size_t>(c.num_outputs()))
    return c.fail("has {} outputs, its body {}", c.num_outputs(), body.outputs().size());
  for (int i = 0; i < c.num_outputs(); ++i) {
    const Type& made = output_of(body, static_cast<size_t>(i));
    if (made.is_container()) return c.fail("its body makes {}, not a tensor", made.to_string());
    c.set(i, Type::sequence(made));
  }
  return {};
}

}  // namespace ingot
