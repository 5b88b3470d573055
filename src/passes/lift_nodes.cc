// decoder_lifter.h: how each kind of node is written in the new graph.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "passes/decoder_lifter.h"
#include "tensor/block_formats.h"

namespace ingot {
namespace {

constexpr int kThroughMax = 16;  // casts and the like between a value and what it stands for

bool is_half(DType t) { return t == DType::kF16 || t == DType::kBF16; }

Tensor to_floats(const Tensor& t) {
  Tensor out = Tensor::allocate(DType::kF32, t.shape());
  decode_row(t.dtype(), t.view().data, out.mutable_as<float>(), t.shape().num_elements());
  return out;
}

Tensor transpose(const Tensor& t) {
  const int64_t rows = t.shape()[0], columns = t.shape()[1];
  Tensor out = Tensor::allocate(t.dtype(), {columns, rows});
  constexpr int64_t kTile = 32;  // both sides of a tile stay in the cache
  const auto copy = [&]<class T>(T) {
    for (int64_t r0 = 0; r0 < rows; r0 += kTile)
      for (int64_t c0 = 0; c0 < columns; c0 += kTile)
        for (int64_t c = c0; c < std::min(columns, c0 + kTile); ++c)
          for (int64_t r = r0; r < std::min(rows, r0 + kTile); ++r)
            out.mutable_as<T>()[c * rows + r] = t.as<T>()[r * columns + c];
  };
  if (t.dtype() == DType::kF32)
    copy(uint32_t{});
  else
    copy(uint16_t{});
  return out;
}

bool is_float_matrix(const Tensor* t) {
  return t && t->shape().rank() == 2 && (t->dtype() == DType::kF32 || is_half(t->dtype()));
}

}  // namespace

ValueId DecoderLifter::keep_constant(ValueId v) {
  ValueId& made = map_[static_cast<size_t>(v)];
  const Value& old = in_.value(v);
  if (made == kNoValue) made = out_.add_constant(old.name, old.constant, old.file_backed);
  return made;
}

ValueId DecoderLifter::float_constant(ValueId v) {
  const Tensor& t = in_.value(v).constant;
  if (!is_half(t.dtype())) return keep_constant(v);
  const auto [at, added] = matrices_.try_emplace({v, false}, kNoValue);
  if (added) at->second = out_.add_constant(in_.value(v).name + ".f32", to_floats(t));
  return at->second;
}

ValueId DecoderLifter::int_list(std::vector<int64_t> values) {
  const auto [at, added] = int_lists_.try_emplace(values, kNoValue);
  if (added) {
    Tensor t = Tensor::allocate(DType::kI64, {static_cast<int64_t>(values.size())});
    std::ranges::copy(values, t.mutable_as<int64_t>());
    at->second = out_.add_constant("list", std::move(t));
  }
  return at->second;
}

ValueId DecoderLifter::matrix(ValueId v, bool transposed) {
  if (const Node* n = producer(v);
      n && n->op == Op::kTranspose && n->attributes.ints("perm").size() == 2 && n->attributes.ints("perm")[0] == 1)
    return in_.constant(n->inputs[0]) ? matrix(n->inputs[0], !transposed) : kNoValue;
  const Tensor* t = in_.constant(v);
  if (!is_float_matrix(t)) return kNoValue;
  if (!transposed) return keep_constant(v);
  const auto [at, added] = matrices_.try_emplace({v, true}, kNoValue);
  if (added) at->second = out_.add_constant(in_.value(v).name + ".t", transpose(*t));
  return at->second;
}

ValueId DecoderLifter::ids_of(ValueId v) const {
  for (int step = 0; step < kThroughMax; ++step) {
    const Node* n = producer(v);
    const std::string to = n && n->op == Op::kCast ? n->attributes.get_string("to") : "";
    if (!n || (n->op != Op::kIdentity && to != "i32" && to != "i64")) break;
    v = n->inputs[0];
  }
  if (v == kNoValue) return kNoValue;
  return v == old_token_ids_ ? token_ids_ : v == old_positions_ ? positions_ : kNoValue;
}

Result<ValueId> DecoderLifter::mapped(ValueId v) {
  if (v == kNoValue) return v;
  if (in_.constant(v)) return float_constant(v);
  ValueId& made = map_[static_cast<size_t>(v)];
  if (made != kNoValue) return made;
  const ValueId ids = ids_of(v);
  INGOT_CHECK(ids != kNoValue && in_.value(v).kind == ValueKind::kInput);
  const ValueId cast =
      INGOT_TRY(out_.add(Op::kCast, {ids}, {{"to", std::string(dtype_name(in_.value(v).type.dtype))}}));
  made = INGOT_TRY(as_batch(cast));
  return made;
}

Result<ValueId> DecoderLifter::as_rows(ValueId v, int64_t width) {
  return out_.add(Op::kReshape, {v, int_list({-1, width})});
}

Result<ValueId> DecoderLifter::as_batch(ValueId v) { return out_.add(Op::kUnsqueeze, {v, int_list({0})}); }

Result<void> DecoderLifter::emit_copy(const Node& n) {
  if (!n.subgraphs.empty()) return fail(n, "control flow is expected around the tables of a rotation only");
  std::vector<ValueId> inputs;
  for (ValueId v : n.inputs) inputs.push_back(INGOT_TRY(mapped(v)));
  const NodeId made =
      INGOT_TRY(out_.add_node(n.op, std::move(inputs), static_cast<int>(n.outputs.size()), n.attributes, n.name));
  for (size_t i = 0; i < n.outputs.size(); ++i) set(n.outputs[i], out_.node(made).outputs[i]);
  return {};
}

Result<void> DecoderLifter::emit_cast(const Node& n) {
  const auto to = dtype_from_name(n.attributes.get_string("to"));
  const ValueId x = INGOT_TRY(mapped(n.inputs[0]));
  const DType wanted = to && is_half(*to) ? DType::kF32 : to.value_or(DType::kF32);
  if (out_.value(x).type.dtype == wanted) return set(n.outputs[0], x), Result<void>{};
  set(n.outputs[0], INGOT_TRY(out_.add(Op::kCast, {x}, {{"to", std::string(dtype_name(wanted))}}, n.name)));
  return {};
}

Result<void> DecoderLifter::emit_linear(const Node& n, ValueId x, ValueId weight, ValueId bias) {
  std::vector<ValueId> inputs{INGOT_TRY(mapped(x)), weight};
  if (bias != kNoValue) inputs.push_back(INGOT_TRY(mapped(bias)));
  set(n.outputs[0], INGOT_TRY(out_.add(Op::kLinear, std::move(inputs), {}, n.name)));
  return {};
}

Result<void> DecoderLifter::emit_embedding(const Node& n, ValueId table, ValueId ids, float scale) {
  int64_t& bound = ids == positions_ ? result_.positions_max : result_.tokens_max;
  const int64_t table_rows = out_.constant(table)->shape()[0];
  bound = bound ? std::min(bound, table_rows) : table_rows;
  const ValueId rows = INGOT_TRY(out_.add(Op::kEmbedding, {ids, table}, {{"scale", scale}}, n.name));
  set(n.outputs[0], INGOT_TRY(as_batch(rows)));
  return {};
}

Result<void> DecoderLifter::emit_rms_norm(const Node& n, ValueId weight) {
  const float eps = n.attributes.get_float("epsilon", 1e-5f);
  const ValueId x = INGOT_TRY(mapped(n.inputs[0]));
  set(n.outputs[0], INGOT_TRY(out_.add(Op::kRmsNorm, {x, float_constant(weight)}, {{"eps", eps}}, n.name)));
  return {};
}

std::optional<DecoderLifter::Gate> DecoderLifter::gate_of(ValueId v) const {
  const Node* n = producer(v);
  if (!n) return std::nullopt;
  if (n->op == Op::kSwish && n->attributes.get_float("alpha", 1) == 1) return Gate{"silu", n->inputs[0]};
  if (n->op == Op::kGelu)
    return Gate{n->attributes.get_string("approximate", "none") == "tanh" ? "gelu_tanh" : "gelu", n->inputs[0]};
  if (n->op != Op::kMul) return std::nullopt;
  for (size_t i : {0, 1})
    if (const Node* s = producer(n->inputs[i]); s && s->op == Op::kSigmoid && s->inputs[0] == n->inputs[1 - i])
      return Gate{"silu", s->inputs[0]};
  return std::nullopt;
}

// act(gate) * up in one node; the activation's own nodes are dropped if nothing else reads them.
Result<void> DecoderLifter::emit_product(const Node& n) {
  for (size_t i : {0, 1}) {
    const auto gate = gate_of(n.inputs[i]);
    if (!gate || in_.constant(n.inputs[1 - i])) continue;
    const ValueId g = INGOT_TRY(mapped(gate->value)), up = INGOT_TRY(mapped(n.inputs[1 - i]));
    const Type &a = out_.value(g).type, &b = out_.value(up).type;
    if (a.dtype != DType::kF32 || !(a == b) || !a.ranked() || a.rank() < 1) continue;
    const Attributes attributes{{"activation", std::string(gate->activation)}};
    set(n.outputs[0], INGOT_TRY(out_.add(Op::kGatedActivation, {g, up}, attributes, n.name)));
    return {};
  }
  return emit_copy(n);
}

Result<void> DecoderLifter::emit(const Node& n) {
  for (int i = 0; i < op_schema(n.op).inputs_min; ++i)
    if (operand(n, static_cast<size_t>(i)) == kNoValue && n.op != Op::kGroupQueryAttention)
      return fail(n, "operand {} is missing", i);
  switch (n.op) {
    case Op::kGroupQueryAttention:
    case Op::kAttention: return emit_attention(n);
    case Op::kRotaryEmbedding: return emit_rotary(n);
    case Op::kCast: return emit_cast(n);
    case Op::kMatMul:
      if (const ValueId w = matrix(n.inputs[1], true); w != kNoValue) return emit_linear(n, n.inputs[0], w, kNoValue);
      break;
    case Op::kLinear:
      if (in_.constant(n.inputs[1])) return emit_linear(n, n.inputs[0], keep_constant(n.inputs[1]), operand(n, 2));
      break;
    case Op::kMul: return emit_product(n);
    case Op::kGather:
      if (const ValueId ids = ids_of(n.inputs[1]); ids != kNoValue && n.attributes.get_int("axis") == 0)
        if (const ValueId table = matrix(n.inputs[0], false); table != kNoValue)
          return emit_embedding(n, table, ids, 1);
      break;
    case Op::kEmbedding:
      if (const ValueId ids = ids_of(n.inputs[0]); ids != kNoValue && in_.constant(n.inputs[1]))
        return emit_embedding(n, keep_constant(n.inputs[1]), ids, n.attributes.get_float("scale", 1));
      break;
    case Op::kRMSNormalization: {
      const Type& x = in_.value(n.inputs[0]).type;
      const Tensor* w = in_.constant(n.inputs[1]);
      const int64_t axis = n.attributes.get_int("axis", -1);
      if (w && w->shape().rank() == 1 && x.ranked() && (axis == -1 || axis == x.rank() - 1) &&
          x.dims->back().is_const(w->shape()[0]))
        return emit_rms_norm(n, n.inputs[1]);
      break;
    }
    default: break;
  }
  return emit_copy(n);
}

const Tensor* DecoderLifter::constant_table(ValueId v) const {
  for (int step = 0; step < kThroughMax; ++step) {
    if (const Tensor* t = in_.constant(v)) return t;
    const Node* n = producer(v);
    if (n && n->op == Op::kIf)
      return chosen_table(*n, static_cast<size_t>(std::ranges::find(n->outputs, v) - n->outputs.begin()));
    if (!n || (n->op != Op::kIdentity && n->op != Op::kCast)) return nullptr;
    v = n->inputs[0];
  }
  return nullptr;
}

// If(the length > a number): the longest sequence that will be run decides for all, so that a sequence's first keys are
// not rotated otherwise than its last.
const Tensor* DecoderLifter::chosen_table(const Node& branch, size_t output) const {
  const Node* compare = producer(branch.inputs[0]);
  const Tensor* limit = compare && compare->inputs.size() == 2 ? in_.constant(compare->inputs[1]) : nullptr;
  if (!limit || limit->shape().num_elements() != 1 ||
      (compare->op != Op::kGreater && compare->op != Op::kGreaterOrEqual))
    return nullptr;
  int64_t bound = 0;
  if (limit->dtype() == DType::kI64)
    bound = *limit->as<int64_t>();
  else if (limit->dtype() == DType::kI32)
    bound = *limit->as<int32_t>();
  else
    return nullptr;
  const bool above = compare->op == Op::kGreater ? options_.context > bound : options_.context >= bound;
  const Graph* graph = branch.subgraph(above ? "then_branch" : "else_branch");
  if (!graph || output >= graph->outputs().size()) return nullptr;
  ValueId v = graph->outputs()[output];
  while (graph->value(v).producer != kNoNode && graph->node(graph->value(v).producer).op == Op::kIdentity)
    v = graph->node(graph->value(v).producer).inputs[0];
  return graph->constant(v);
}

}  // namespace ingot
