// GELU written out -> Gelu, in whatever order its factors are multiplied:
//   0.5 * x * (1 + Erf(x / sqrt(2)))      0.5 * x * (1 + Tanh(0.79788 * (x + 0.044715 * x^3)))
#include <algorithm>
#include <cmath>

#include "passes/match.h"
#include "passes/pipeline.h"

namespace ingot {
namespace {

constexpr double kInvSqrt2 = 0.70710678, kSqrt2OverPi = 0.79788456, kCubic = 0.044715;
// Rounding in f32 and the truncations that exporters write: 1.4142 and 1.41421 for sqrt(2), 0.7071, 0.797885.
constexpr double kToleranceRelative = 1e-5;
// A GELU has fewer factors than this; x * x is taken apart twice, so squares of squares would double without an end.
constexpr int kVisitsMax = 32;

// A product taken apart: the constants multiplied, the other factors listed.
struct Factors {
  double constant = 1;
  std::vector<ValueId> values;
  int visits = 0;
};

void collect(const Matcher& m, ValueId v, bool root, Factors& out) {
  if (++out.visits > kVisitsMax) return out.values.push_back(v);
  if (const auto s = m.scalar(v)) {
    out.constant *= *s;
    return;
  }
  const Node* mul = root ? m.producer(v, Op::kMul) : m.absorbed(v, Op::kMul);
  // x * x (absorbed twice by one node) is taken apart as well.
  if (!mul && !root) {
    const Node* square = m.producer(v, Op::kMul);
    if (square && square->inputs[0] == square->inputs[1] && !m.scalar(square->inputs[0])) mul = square;
  }
  if (mul) {
    collect(m, mul->inputs[0], false, out);
    collect(m, mul->inputs[1], false, out);
    return;
  }
  const Node* div = m.absorbed(v, Op::kDiv);
  if (const auto by = div ? m.scalar(div->inputs[1]) : std::nullopt; by && *by != 0) {
    out.constant /= *by;
    collect(m, div->inputs[0], false, out);
    return;
  }
  const Node* pow = m.absorbed(v, Op::kPow);
  if (pow && m.is_scalar(pow->inputs[1], 3)) {
    for (int i = 0; i < 3; ++i) out.values.push_back(pow->inputs[0]);
    return;
  }
  out.values.push_back(v);
}

bool near(double a, double b) { return std::fabs(a - b) <= kToleranceRelative * std::fabs(b); }

// v = 1 + f(u) with f of this op; u, or kNoValue.
ValueId one_plus(const Matcher& m, ValueId v, Op op) {
  const Node* add = m.absorbed(v, Op::kAdd);
  if (!add) return kNoValue;
  for (size_t i : {0, 1}) {
    const Node* f = m.absorbed(add->inputs[1 - i], op);
    if (f && m.is_scalar(add->inputs[i], 1)) return f->inputs[0];
  }
  return kNoValue;
}

bool is_scaled_x(const Matcher& m, ValueId u, ValueId x) {
  Factors f;
  collect(m, u, false, f);
  return near(f.constant, kInvSqrt2) && f.values == std::vector{x};
}

// u = 0.79788 * (x + 0.044715 x^3), or 0.79788 * x * (1 + 0.044715 x^2)
bool is_tanh_argument(const Matcher& m, ValueId u, ValueId x) {
  Factors f;
  collect(m, u, false, f);
  if (!near(f.constant, kSqrt2OverPi)) return false;
  const auto is_power = [&](ValueId v, size_t power) {
    Factors p;
    collect(m, v, false, p);
    return near(p.constant, kCubic) && p.values == std::vector(power, x);
  };
  const auto is_sum = [&](ValueId v, bool with_x) {
    const Node* add = m.absorbed(v, Op::kAdd);
    if (!add) return false;
    for (size_t i : {0, 1}) {
      const bool first = with_x ? add->inputs[i] == x : m.is_scalar(add->inputs[i], 1);
      if (first && is_power(add->inputs[1 - i], with_x ? 3 : 2)) return true;
    }
    return false;
  };
  if (f.values.size() == 1) return is_sum(f.values[0], true);
  if (f.values.size() != 2) return false;
  return (f.values[0] == x && is_sum(f.values[1], false)) || (f.values[1] == x && is_sum(f.values[0], false));
}

bool fuse_at(const Matcher& m, Node& n) {
  if (n.op != Op::kMul && n.op != Op::kDiv) return false;
  Factors f;
  if (n.op == Op::kDiv) {
    const auto by = m.scalar(n.inputs[1]);
    if (!by || *by == 0) return false;
    f.constant /= *by;
    collect(m, n.inputs[0], false, f);
  } else {
    collect(m, n.inputs[0], false, f);
    collect(m, n.inputs[1], false, f);
  }
  if (f.values.size() != 2 || !near(f.constant, 0.5)) return false;
  for (size_t i : {0, 1}) {
    const ValueId x = f.values[i], gate = f.values[1 - i];
    if (!m.same_shape(x, n.outputs[0])) continue;  // constants of a higher rank would widen the result
    const ValueId erf = one_plus(m, gate, Op::kErf), tanh = one_plus(m, gate, Op::kTanh);
    const bool exact = erf != kNoValue && is_scaled_x(m, erf, x);
    if (!exact && !(tanh != kNoValue && is_tanh_argument(m, tanh, x))) continue;
    n.op = Op::kGelu;
    n.inputs = {x};
    n.attributes = Attributes{{"approximate", std::string(exact ? "none" : "tanh")}};
    return true;
  }
  return false;
}

}  // namespace

Result<bool> fuse_gelu(Graph& graph, const PassContext&) {
  Matcher m(graph);
  bool changed = false;
  const std::vector<NodeId> order = graph.order();
  for (auto it = order.rbegin(); it != order.rend(); ++it) {
    if (!fuse_at(m, graph.node(*it))) continue;
    changed = true;
    graph.remove_dead();
    m.refresh();
  }
  return changed;
}

}  // namespace ingot
