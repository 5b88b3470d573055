#include "passes/lift_paged_attention.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/infer.h"
#include "passes/decoder_lifter.h"
#include "passes/token_rows.h"

namespace ingot {
namespace {

std::string names_of(const Graph& graph, const std::vector<ValueId>& values) {
  constexpr size_t kShown = 8;
  std::string out;
  for (size_t i = 0; i < std::min(values.size(), kShown); ++i) out += (i ? ", " : "") + graph.value(values[i]).name;
  return values.size() > kShown ? out + ", …" : out;
}

// What may stand between the product with the vocabulary's matrix and the logits.
bool is_elementwise_head(Op op) {
  constexpr Op kOps[] = {Op::kAdd,     Op::kSub,  Op::kMul, Op::kDiv, Op::kTanh,    Op::kCast,
                         Op::kSoftcap, Op::kClip, Op::kMin, Op::kMax, Op::kIdentity};
  return std::ranges::find(kOps, op) != std::end(kOps);
}

// Operands that an attention node keeps: the others say what the cache of the old graph holds.
bool stays(const Node& n, size_t operand) {
  if (n.op == Op::kGroupQueryAttention) return operand < 3 || operand == 11;
  if (n.op == Op::kAttention) return operand < 3;
  if (n.op == Op::kRotaryEmbedding) return operand == 0;
  return true;
}

}  // namespace

DecoderLifter::DecoderLifter(const Graph& in, const LiftOptions& options)
    : in_(in),
      options_(options),
      map_(in.num_values(), kNoValue),
      needed_(in.num_values(), 0),
      layer_seen_(options.layers.size(), 0) {
  out_.name = in.name;
  const Dim tokens = Dim::symbol("tokens"), batch = Dim::symbol("batch");
  token_ids_ = out_.add_input("token_ids", Type::of(DType::kI32, {tokens}));
  positions_ = out_.add_input("positions", Type::of(DType::kI32, {tokens}));
  query_start_ = out_.add_input("query_start", Type::of(DType::kI32, {batch + Dim(1)}));
  context_len_ = out_.add_input("context_len", Type::of(DType::kI32, {batch}));
  block_table_ = out_.add_input("block_table", Type::of(DType::kI32, {batch, Dim::symbol("blocks")}));
  logit_rows_ = out_.add_input("logit_rows", Type::of(DType::kI32, {Dim::symbol("rows")}));
  hidden_rows_ = out_.add_input("hidden_rows", Type::of(DType::kI32, {Dim::symbol("hidden")}));
}

Result<ValueId> DecoderLifter::find(const std::string& name, bool input, std::string_view what) const {
  const ValueId v = in_.find_value(name);
  const std::vector<ValueId>& among = input ? in_.inputs() : in_.outputs();
  if (v == kNoValue || std::ranges::find(among, v) == among.end())
    return invalid("[lift] the graph has no {} '{}', which should be the {}; it has: {}", input ? "input" : "output",
                   name, what, names_of(in_, among));
  return v;
}

Result<void> DecoderLifter::find_values() {
  old_token_ids_ = INGOT_TRY(find(options_.token_ids, true, "token ids"));
  old_logits_ = INGOT_TRY(find(options_.logits, false, "logits"));
  const ValueId positions = options_.position_ids.empty() ? kNoValue : in_.find_value(options_.position_ids);
  if (positions != kNoValue && in_.value(positions).kind == ValueKind::kInput) old_positions_ = positions;
  for (size_t i = 0; i < options_.layers.size(); ++i) {
    const LiftOptions::Layer& l = options_.layers[i];
    const ValueId past_key = INGOT_TRY(find(l.past_key, true, fmt::format("past keys of layer {}", i)));
    const ValueId past_value = INGOT_TRY(find(l.past_value, true, fmt::format("past values of layer {}", i)));
    const ValueId key = INGOT_TRY(find(l.present_key, false, fmt::format("present keys of layer {}", i)));
    const ValueId value = INGOT_TRY(find(l.present_value, false, fmt::format("present values of layer {}", i)));
    pasts_.emplace_back(past_key, past_value);
    presents_.emplace_back(key, value);
  }
  for (ValueId v : {old_token_ids_, old_positions_})
    if (v != kNoValue && !(in_.value(v).type.ranked() && in_.value(v).type.rank() == 2))
      return unimplemented("[lift] input '{}' is {}: [batch,sequence] is expected", in_.value(v).name,
                           in_.value(v).type.to_string());
  return {};
}

// From the logits back to the product with the vocabulary's matrix.
Result<void> DecoderLifter::find_head() {
  ValueId v = old_logits_;
  while (true) {
    const Node* n = producer(v);
    if (!n) return invalid("[lift] the logits '{}' are made by no node", in_.value(v).name);
    head_.push_back(n);
    if ((n->op == Op::kMatMul && matrix(n->inputs[1], true) != kNoValue) ||
        (n->op == Op::kLinear && in_.constant(n->inputs[1]))) {
      head_input_ = n->inputs[0];
      std::ranges::reverse(head_);
      return {};
    }
    ValueId next = kNoValue;
    int variable = 0;
    for (ValueId in : n->inputs)
      if (in != kNoValue && !in_.constant(in)) next = in, ++variable;
    if (!is_elementwise_head(n->op) || variable != 1)
      return fail(*n, "makes the logits; a product with a constant matrix is expected, then arithmetic with constants");
    v = next;
  }
}

Result<void> DecoderLifter::need(const Node& reader, ValueId v) {
  if (v == kNoValue) return {};
  if (in_.value(v).kind == ValueKind::kInput && v != old_token_ids_ && v != old_positions_)
    return fail(reader, "reads the input '{}', which nothing but attention may", in_.value(v).name);
  needed_[static_cast<size_t>(v)] = 1;
  return {};
}

Result<void> DecoderLifter::find_needed() {
  INGOT_TRY(need(*head_.front(), head_input_));
  for (auto id = in_.order().rbegin(); id != in_.order().rend(); ++id) {
    const Node& n = in_.node(*id);
    const auto is_needed = [&](ValueId v) { return needed_[static_cast<size_t>(v)] != 0; };
    if (std::ranges::none_of(n.outputs, is_needed)) continue;
    const bool attention = n.op == Op::kGroupQueryAttention || n.op == Op::kAttention;
    if (attention && std::any_of(n.outputs.begin() + 1, n.outputs.end(), is_needed))
      return fail(n, "its present keys or values are read by other nodes; that is not supported");
    for (size_t i = 0; i < n.inputs.size(); ++i)
      if (stays(n, i)) INGOT_TRY(need(n, n.inputs[i]));
  }
  for (const Node* n : head_)
    if (std::ranges::any_of(n->outputs, [&](ValueId v) { return needed_[static_cast<size_t>(v)] != 0; }))
      return fail(*n, "makes the logits and is read by the layers, too");
  return {};
}

Result<void> DecoderLifter::emit_body() {
  for (NodeId id : in_.order()) {
    const Node& n = in_.node(id);
    if (std::ranges::any_of(n.outputs, [&](ValueId v) { return needed_[static_cast<size_t>(v)] != 0; }))
      INGOT_TRY(emit(n));
  }
  for (size_t i = 0; i < layer_seen_.size(); ++i)
    if (!layer_seen_[i])
      return unimplemented(
          "[lift] no attention node reads '{}', the keys of layer {}: GroupQueryAttention, or Attention with past and "
          "present, is expected",
          options_.layers[i].past_key, i);
  return {};
}

// Types by all that inference can follow, then the proof that tokens stay apart.
Result<void> DecoderLifter::check_body() {
  std::vector<InferredValue> inputs;
  for (ValueId v : out_.inputs()) inputs.push_back({out_.value(v).type, std::nullopt, nullptr});
  const auto known = INGOT_TRY(infer_graph(out_, inputs));
  for (NodeId id : out_.order())
    for (ValueId v : out_.node(id).outputs)
      if (const Type& t = known[static_cast<size_t>(v)].type; t.ranked()) out_.value(v).type = t;
  return check_token_rows(out_, Dim::symbol("tokens"));
}

Result<void> DecoderLifter::emit_head() {
  const Type type = in_.value(head_input_).type;
  if (!type.ranked() || type.rank() != 3 || !type.dims->back().is_const())
    return fail(*head_.front(), "reads {}; [batch,sequence,width] is expected", type.to_string());
  result_.width = type.dims->back().value();
  const ValueId states = INGOT_TRY(as_rows(INGOT_TRY(mapped(head_input_)), result_.width));
  const Attributes rows{{"axis", int64_t{0}}};
  set(head_input_, INGOT_TRY(out_.add(Op::kGather, {states, logit_rows_}, rows, "logit_rows")));
  const ValueId hidden = INGOT_TRY(out_.add(Op::kGather, {states, hidden_rows_}, rows, "hidden_rows"));
  for (const Node* n : head_) INGOT_TRY(emit(*n));
  ValueId logits = INGOT_TRY(mapped(old_logits_));
  const Type made = out_.value(logits).type;
  if (!made.ranked() || made.rank() < 2 || !made.dims->back().is_const() || made.dtype != DType::kF32)
    return fail(*head_.back(), "gives logits {}; floats of a fixed vocabulary are expected", made.to_string());
  result_.vocab = made.dims->back().value();
  if (made.rank() > 2) logits = INGOT_TRY(as_rows(logits, result_.vocab));
  out_.add_output(logits);
  out_.add_output(hidden);
  return {};
}

Result<LiftedDecoder> DecoderLifter::run() {
  result_.layers.resize(options_.layers.size());
  INGOT_TRY(find_values());
  INGOT_TRY(find_head());
  INGOT_TRY(find_needed());
  INGOT_TRY(emit_body());
  INGOT_TRY(check_body());
  INGOT_TRY(emit_head());
  out_.remove_dead();
  INGOT_TRY(verify(out_));
  return std::move(result_);
}

Result<LiftedDecoder> lift_paged_attention(const Graph& decoder, const LiftOptions& options) {
  return DecoderLifter(decoder, options).run();
}

}  // namespace ingot
