// ai.onnx.preview.FlexAttention: softmax(Q K^T * scale) V as separate nodes, with the modifier graphs of scores and
// probabilities in between.
#include <algorithm>
#include <cmath>
#include <optional>

#include "formats/onnx/graph_builder.h"

namespace ingot::onnx {

// The graph's nodes join this one: its only input is `x`, its only output the result.
Result<ValueId> GraphBuilder::inline_graph(const pb::GraphDef& proto, ValueId x, NodeDraft& draft) {
  const std::string name = proto.name().substr(0, 200);
  if (proto.input_size() != 1 || proto.output_size() != 1)
    return draft.fail("graph '{}' has {} inputs and {} outputs, not one of each", name, proto.input_size(),
                      proto.output_size());
  std::unordered_map<std::string, std::optional<ValueId>> outer;  // what its own names mean outside
  const auto hide = [&](const std::string& own) {
    const auto it = scope_.find(own);
    outer.emplace(own, it == scope_.end() ? std::nullopt : std::optional(it->second));
    scope_.erase(own);
  };
  for (const auto& node : proto.node()) std::ranges::for_each(node.output(), hide);
  for (const auto& tensor : proto.initializer()) hide(tensor.name());
  hide(proto.input(0).name());
  scope_[proto.input(0).name()] = x;
  auto ok = add_initializers(proto);
  if (ok) ok = add_nodes(proto.node());
  const auto found = scope_.find(proto.output(0).name());
  const ValueId result = found == scope_.end() ? kNoValue : found->second;
  for (const auto& [own, meant] : outer)
    if (meant)
      scope_[own] = *meant;
    else
      scope_.erase(own);
  if (!ok) return std::unexpected(ok.error().with_context(fmt::format("graph '{}' of '{}'", name, draft.node.name)));
  if (result == kNoValue) return draft.fail("graph '{}' does not define its output", name);
  const Type &from = known(x).type, &to = known(result).type;
  if (to.dtype != from.dtype || (from.ranked() && to.ranked() && from.rank() != to.rank()))
    return draft.fail("graph '{}' makes {} of {}", name, to.to_string(), from.to_string());
  return result;
}

Result<void> GraphBuilder::import_flex_attention(const pb::NodeDef& proto, NodeDraft& draft) {
  if (draft.node.inputs.size() != 3) return draft.fail("has {} operands, not 3", draft.node.inputs.size());
  const auto in = draft.node.inputs;
  for (ValueId v : in)
    if (v == kNoValue || !known(v).type.ranked() || known(v).type.rank() != 4)
      return draft.fail("its operands are not all of rank 4");
  const Dims q = *known(in[0]).type.dims, k = *known(in[1]).type.dims;
  const DType dtype = known(in[0]).type.dtype;
  if (!q[1].is_const() || !k[1].is_const() || !q[3].is_const()) return draft.unsupported("a symbolic number of heads");
  const int64_t heads = q[1].value(), groups = k[1].value();
  if (groups < 1 || heads % groups) return draft.fail("{} heads of queries, {} of keys", heads, groups);
  const float scale =
      draft.attributes().get_float("scale", static_cast<float>(1 / std::sqrt(static_cast<double>(q[3].value()))));
  if (!(scale >= 0)) return draft.fail("scale is {}", scale);
  const int64_t precision = draft.attributes().get_int("softmax_precision");
  const auto given = precision > 0 && precision < 100 ? dtype_of(static_cast<int32_t>(precision)) : std::nullopt;
  if (draft.attributes().has("softmax_precision") && (!given || !is_float(*given)))
    return draft.fail("softmax_precision {} is not a float type", precision);
  const DType inner = given ? *given : dtype == DType::kF64 ? dtype : DType::kF32;
  const auto cast = [&](ValueId v, DType to) -> Result<ValueId> {
    if (known(v).type.dtype == to) return v;
    return draft.add(Op::kCast, {v}, {{"to", std::string(dtype_name(to))}});
  };
  const auto modified = [&](ValueId v, std::string_view name) -> Result<ValueId> {
    for (const auto& a : proto.attribute())
      if (a.name() == name && a.type() == pb::AttributeDef::GRAPH) return inline_graph(a.g(), v, draft);
    return v;
  };
  // Heads that share keys lie side by side: they are one head with all their queries.
  const auto regroup = [&](ValueId v, int64_t count) {
    return draft.add(Op::kReshape, {v, draft.int_list({0, count, -1, 0})});
  };
  const ValueId factor = draft.scalar_like(in[0], std::sqrt(scale));
  const ValueId queries = INGOT_TRY(draft.add(Op::kMul, {INGOT_TRY(regroup(in[0], groups)), factor}));
  const ValueId keys = INGOT_TRY(draft.add(Op::kTranspose, {INGOT_TRY(draft.add(Op::kMul, {in[1], factor}))},
                                           {{"perm", std::vector<int64_t>{0, 1, 3, 2}}}));
  ValueId x = INGOT_TRY(regroup(INGOT_TRY(draft.add(Op::kMatMul, {queries, keys})), heads));
  x = INGOT_TRY(modified(INGOT_TRY(cast(x, inner)), "score_mod"));
  x = INGOT_TRY(draft.add(Op::kSoftmax, {x}, {{"axis", int64_t{-1}}}));
  x = INGOT_TRY(regroup(INGOT_TRY(modified(x, "prob_mod")), groups));
  const ValueId y = INGOT_TRY(draft.add(Op::kMatMul, {x, INGOT_TRY(cast(in[2], inner))}));
  draft.results = {INGOT_TRY(cast(INGOT_TRY(regroup(y, heads)), dtype))};
  return {};
}

}  // namespace ingot::onnx
