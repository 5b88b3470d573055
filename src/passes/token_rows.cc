#include "passes/token_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace ingot {
namespace {

// What a value is to the tokens of a step.
enum class Kind {
  kFree,   // the same whatever the tokens are, and how many
  kShape,  // integers that tell how many there are
  kRows,   // a row, or a group of rows, for each of them
};

struct Rows {
  Kind kind = Kind::kFree;
  int axis = -1;       // kRows: the dimension that counts tokens,
  int64_t times = 1;   // so many places for each
  bool first = false;  // all dimensions before it are 1
};

enum class Rule {
  kOther,        // unknown: refused
  kElementwise,  // with broadcasting
  kInner,        // works on the innermost dimension
  kAxis,         // works on the attribute `axis`
  kOuterAxes,    // works on the dimensions from `axis` on
  kAxes,         // works on the axes of operand 1
  kProduct,
  kGather,
  kTranspose,
  kShapeOf,
  kReshape,
  kAttention,
};

struct OpRule {
  Rule rule;
  std::initializer_list<Op> ops;
};

const OpRule kRules[] = {
    {Rule::kElementwise,
     {Op::kAdd,     Op::kSub,         Op::kMul,   Op::kDiv,       Op::kMod,         Op::kPow,       Op::kMax,
      Op::kMin,     Op::kWhere,       Op::kEqual, Op::kLess,      Op::kLessOrEqual, Op::kGreater,   Op::kGreaterOrEqual,
      Op::kAnd,     Op::kOr,          Op::kNot,   Op::kNeg,       Op::kAbs,         Op::kSqrt,      Op::kExp,
      Op::kLog,     Op::kErf,         Op::kTanh,  Op::kSigmoid,   Op::kRelu,        Op::kLeakyRelu, Op::kGelu,
      Op::kSwish,   Op::kHardSigmoid, Op::kClip,  Op::kHardSwish, Op::kReciprocal,  Op::kCast,      Op::kIdentity,
      Op::kSoftcap, Op::kActivation,  Op::kFloor, Op::kCeil,      Op::kSin,         Op::kCos,       Op::kSoftplus}},
    {Rule::kInner, {Op::kLinear, Op::kRmsNorm, Op::kGatedActivation, Op::kRope, Op::kMoe, Op::kEmbedding}},
    {Rule::kAxis, {Op::kSoftmax, Op::kLogSoftmax, Op::kSplit, Op::kConcat, Op::kTopK}},
    {Rule::kOuterAxes, {Op::kLayerNormalization, Op::kRMSNormalization}},
    {Rule::kAxes, {Op::kReduceMean, Op::kReduceSum, Op::kReduceMax, Op::kSqueeze, Op::kUnsqueeze}},
    {Rule::kProduct, {Op::kMatMul}},
    {Rule::kGather, {Op::kGather}},
    {Rule::kTranspose, {Op::kTranspose}},
    {Rule::kShapeOf, {Op::kShape}},
    {Rule::kReshape, {Op::kReshape, Op::kExpand}},
    {Rule::kAttention, {Op::kPagedAttention}},
};

Rule rule_of(Op op) {
  for (const OpRule& r : kRules)
    if (std::ranges::find(r.ops, op) != r.ops.end()) return r.rule;
  return Rule::kOther;
}

class Checker {
 public:
  Checker(const Graph& graph, const Dim& tokens) : graph_(graph), tokens_(tokens), rows_(graph.num_values()) {}

  Result<void> run() {
    for (ValueId v : graph_.inputs()) at(v) = INGOT_TRY(read_type(v, "graph input"));
    for (NodeId n : graph_.order()) INGOT_TRY(visit(graph_.node(n)));
    return {};
  }

 private:
  Rows& at(ValueId v) { return rows_[static_cast<size_t>(v)]; }
  const Type& type(ValueId v) const { return graph_.value(v).type; }

  template <class... Args>
  std::unexpected<Status> fail(const Node& n, fmt::format_string<Args...> format, Args&&... args) const {
    return unimplemented("[lift] node '{}' ({}): {}", n.name, op_name(n.op),
                         fmt::format(format, std::forward<Args>(args)...));
  }

  // By its type: the one dimension that is a multiple of the tokens' number.
  Result<Rows> read_type(ValueId v, std::string_view what) const {
    const Type& t = type(v);
    if (!t.ranked()) return unimplemented("[lift] {} '{}': its rank is not known", what, graph_.value(v).name);
    Rows r;
    bool ones = true;
    for (int i = 0; i < t.rank(); ++i) {
      const Dim& d = (*t.dims)[static_cast<size_t>(i)];
      const Dim share = d.is_const() || d.is_unknown() ? Dim(0) : floor_div(d, tokens_);
      const bool counts = !d.is_const() && share.is_const() && share.value() > 0;
      if (counts && r.kind == Kind::kFree) {
        r = {Kind::kRows, i, share.value(), ones};
      } else if (counts || d.is_unknown() || d.to_string().contains(tokens_.to_string())) {
        return unimplemented("[lift] {} '{}' is {}: one dimension that counts the tokens is expected, all others fixed",
                             what, graph_.value(v).name, t.to_string());
      }
      ones &= d.is_const(1);
    }
    return r;
  }

  int axis_of(const Node& n, int64_t axis) const {
    return static_cast<int>(axis < 0 ? axis + type(n.inputs[0]).rank() : axis);
  }

  Result<void> visit(const Node& n) {
    Kind kind = Kind::kFree;
    for (ValueId v : n.inputs)
      if (v != kNoValue) kind = std::max(kind, at(v).kind);
    const Rule rule = rule_of(n.op);
    if (kind == Kind::kFree && rule != Rule::kAttention) return {};  // outputs stay kFree
    if (n.op == Op::kRopeTable) return set_outputs(n);
    if (rule == Rule::kShapeOf) return set_shape(n);
    if (kind == Kind::kShape) return visit_shape(n, rule);
    for (ValueId v : n.inputs)
      if (v != kNoValue && at(v).kind == Kind::kShape && rule != Rule::kReshape)
        return fail(n, "reads the number of tokens, which one step has of several sequences");
    INGOT_TRY(check_rule(n, rule));
    INGOT_TRY(set_outputs(n));
    for (ValueId v : n.outputs)
      if (at(v).kind != Kind::kRows) return fail(n, "gives {}, which counts no tokens any more", type(v).to_string());
    return {};
  }

  Result<void> set_shape(const Node& n) {
    at(n.outputs[0]).kind = Kind::kShape;
    return {};
  }

  // Arithmetic on sizes gives sizes; anything that could make numbers for tokens of them is refused.
  Result<void> visit_shape(const Node& n, Rule rule) {
    if (rule == Rule::kReshape && at(n.inputs[0]).kind == Kind::kFree)  // a constant, repeated for every token
      return set_outputs(n);
    if (rule != Rule::kElementwise && rule != Rule::kGather && rule != Rule::kAxis && rule != Rule::kAxes &&
        n.op != Op::kSlice && n.op != Op::kReshape)
      return fail(n, "makes something of the number of tokens, which one step has of several sequences");
    for (ValueId v : n.outputs) at(v).kind = Kind::kShape;
    return {};
  }

  Result<void> set_outputs(const Node& n) {
    for (ValueId v : n.outputs)
      at(v) = INGOT_TRY(read_type(v, fmt::format("node '{}' ({}): output", n.name, op_name(n.op))));
    return {};
  }

  Result<void> check_rule(const Node& n, Rule rule) {
    const Rows& x = at(n.inputs[0]);
    const bool rows = x.kind == Kind::kRows;
    switch (rule) {
      case Rule::kElementwise: return check_elementwise(n);
      case Rule::kInner: return check_inner(n);
      case Rule::kAxis: {
        const int64_t otherwise = n.op == Op::kSplit ? 0 : -1;
        bool mixes = false;
        for (ValueId v : n.inputs)
          mixes |= at(v).kind == Kind::kRows && at(v).axis == axis_of(n, n.attributes.get_int("axis", otherwise));
        return check_axis(n, mixes);
      }
      case Rule::kOuterAxes:
        return check_axis(n, !rows || x.axis >= axis_of(n, n.attributes.get_int("axis", -1)) || others_have_rows(n));
      case Rule::kAxes: return check_axes(n);
      case Rule::kProduct: {
        const bool inner = rows && x.axis == type(n.inputs[0]).rank() - 1;
        return check_axis(n, inner || at(n.inputs[1]).kind == Kind::kRows);
      }
      case Rule::kGather: {
        const bool both = rows && at(n.inputs[1]).kind == Kind::kRows;
        return check_axis(n, both || (rows && x.axis == axis_of(n, n.attributes.get_int("axis", 0))));
      }
      case Rule::kTranspose: return {};
      case Rule::kReshape: return check_reshape(n);
      case Rule::kAttention: return check_axis(n, !rows || x.axis != 0 || x.times != 1);
      case Rule::kShapeOf:
      case Rule::kOther: break;
    }
    return fail(n, "is not known to treat every token alone, which the operators between attentions must");
  }

  Result<void> check_axis(const Node& n, bool mixes) {
    if (mixes) return fail(n, "works across the tokens ({}); only attention may", type(n.inputs[0]).to_string());
    return {};
  }

  // Whether an operand besides the first has rows.
  bool others_have_rows(const Node& n) {
    return std::ranges::any_of(n.inputs.begin() + 1, n.inputs.end(),
                               [&](ValueId v) { return v != kNoValue && at(v).kind == Kind::kRows; });
  }

  Result<void> check_inner(const Node& n) {
    const Rows& x = at(n.inputs[0]);
    const bool paired = n.op == Op::kRope || n.op == Op::kGatedActivation || n.op == Op::kMoe;  // inference compares
    if (!paired && others_have_rows(n)) return check_axis(n, true);
    return check_axis(n, x.kind != Kind::kRows || (x.axis == type(n.inputs[0]).rank() - 1 && n.op != Op::kEmbedding));
  }

  // Operands that have rows have them at one place, counted from the innermost dimension, where broadcasting aligns.
  Result<void> check_elementwise(const Node& n) {
    std::optional<std::pair<int, int64_t>> place;
    for (ValueId v : n.inputs) {
      if (v == kNoValue || at(v).kind != Kind::kRows) continue;
      const std::pair here{type(v).rank() - at(v).axis, at(v).times};
      if (place && *place != here) return fail(n, "pairs tokens with other tokens");
      place = here;
    }
    return {};
  }

  Result<void> check_axes(const Node& n) {
    if (n.op == Op::kUnsqueeze || n.op == Op::kSqueeze) return {};  // the tokens' dimension is no 1
    const Tensor* axes = n.inputs.size() > 1 ? graph_.constant(n.inputs[1]) : nullptr;
    if (!axes || axes->dtype() != DType::kI64) return fail(n, "reduces dimensions that are not given as a constant");
    bool mixes = axes->shape().num_elements() == 0;
    for (int64_t i = 0; i < axes->shape().num_elements(); ++i)
      mixes |= axis_of(n, axes->as<int64_t>()[i]) == at(n.inputs[0]).axis;
    return check_axis(n, mixes);
  }

  // In memory a token's elements stay together, and in order, where the tokens' dimension is the first that is not 1;
  // else the dimensions up to it must stay.
  Result<void> check_reshape(const Node& n) {
    const Rows& x = at(n.inputs[0]);
    if (x.kind != Kind::kRows) return fail(n, "repeats by the number of tokens");
    const Rows y = INGOT_TRY(read_type(n.outputs[0], fmt::format("node '{}' ({}): output", n.name, op_name(n.op))));
    const auto head = [](const Type& t, int count) { return std::span(*t.dims).first(static_cast<size_t>(count)); };
    const bool same = y.kind == Kind::kRows && x.axis == y.axis && x.times == y.times &&
                      std::ranges::equal(head(type(n.inputs[0]), x.axis), head(type(n.outputs[0]), y.axis));
    if (same || (n.op == Op::kReshape && y.kind == Kind::kRows && x.first && y.first)) return {};
    return fail(n, "moves {} to {}, which does not keep each token's elements together", type(n.inputs[0]).to_string(),
                type(n.outputs[0]).to_string());
  }

  const Graph& graph_;
  const Dim& tokens_;
  std::vector<Rows> rows_;
};

}  // namespace

Result<void> check_token_rows(const Graph& graph, const Dim& tokens) { return Checker(graph, tokens).run(); }

}  // namespace ingot
