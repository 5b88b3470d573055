// The layer norm pattern of exporters -> LayerNormalization over the innermost axis:
//   d = x - ReduceMean(x);  y = d / Sqrt(ReduceMean(d * d) + epsilon);  y * scale (+ bias)
#include <algorithm>

#include "passes/match.h"
#include "passes/pipeline.h"

namespace ingot {
namespace {

// v is the mean of its source over the innermost axis, dimension kept; the source, or kNoValue.
ValueId mean_source(const Matcher& m, const Graph& g, ValueId v) {
  const Node* mean = m.producer(v, Op::kReduceMean);
  if (!mean || mean->attributes.get_int("keepdims", 1) == 0 || mean->inputs.size() < 2) return kNoValue;
  const auto axes = m.ints(mean->inputs[1]);
  const Type& type = g.value(mean->inputs[0]).type;
  if (!axes || axes->size() != 1 || !type.ranked()) return kNoValue;
  return (*axes)[0] == -1 || (*axes)[0] == type.rank() - 1 ? mean->inputs[0] : kNoValue;
}

// v = d * d, written as Mul or Pow; d, or kNoValue.
ValueId squared(const Matcher& m, ValueId v) {
  if (const Node* mul = m.producer(v, Op::kMul)) return mul->inputs[0] == mul->inputs[1] ? mul->inputs[0] : kNoValue;
  const Node* pow = m.producer(v, Op::kPow);
  return pow && m.is_scalar(pow->inputs[1], 2) ? pow->inputs[0] : kNoValue;
}

// v = sqrt(s), written as Sqrt or Pow; s, or kNoValue. They differ only for s < 0, which s = variance + epsilon is not.
ValueId root_of(const Matcher& m, ValueId v) {
  if (const Node* root = m.producer(v, Op::kSqrt)) return root->inputs[0];
  const Node* pow = m.producer(v, Op::kPow);
  return pow && m.is_scalar(pow->inputs[1], 0.5) ? pow->inputs[0] : kNoValue;
}

struct Normalized {
  ValueId x = kNoValue;
  float epsilon = 0;
};

// v = (x - mean) / sqrt(variance + epsilon)
std::optional<Normalized> normalized(const Matcher& m, const Graph& g, ValueId v) {
  const Node* div = m.absorbed(v, Op::kDiv);
  if (!div) return std::nullopt;
  const ValueId d = div->inputs[0];
  const Node* sub = m.producer(d, Op::kSub);
  if (!sub || mean_source(m, g, sub->inputs[1]) != sub->inputs[0]) return std::nullopt;
  const Node* add = m.producer(root_of(m, div->inputs[1]), Op::kAdd);
  if (!add) return std::nullopt;
  for (size_t i : {0, 1}) {
    const auto epsilon = m.scalar(add->inputs[i]);
    const ValueId variance = mean_source(m, g, add->inputs[1 - i]);
    if (epsilon && *epsilon > 0 && variance != kNoValue && squared(m, variance) == d)
      return Normalized{sub->inputs[0], static_cast<float>(*epsilon)};
  }
  return std::nullopt;
}

// The 1-d constant operand of a binary node that fits x's innermost dimension, and the other operand.
bool split_vector(const Matcher& m, const Graph& g, const Node& n, ValueId* vector, ValueId* rest) {
  for (size_t i : {0, 1}) {
    const Tensor* t = m.f32(n.inputs[i]);
    const Type& other = g.value(n.inputs[1 - i]).type;
    if (!t || t->shape().rank() != 1 || !other.ranked() || other.rank() < 1 ||
        !other.dims->back().is_const(t->shape()[0]))
      continue;
    *vector = n.inputs[i];
    *rest = n.inputs[1 - i];
    return true;
  }
  return false;
}

bool fuse_at(const Matcher& m, Graph& g, Node& n) {
  ValueId scale = kNoValue, bias = kNoValue, rest = kNoValue;
  if (n.op == Op::kAdd) {
    ValueId product = kNoValue;
    if (!split_vector(m, g, n, &bias, &product)) return false;
    const Node* mul = m.absorbed(product, Op::kMul);
    if (!mul || !split_vector(m, g, *mul, &scale, &rest)) return false;
  } else if (n.op != Op::kMul || !split_vector(m, g, n, &scale, &rest)) {
    return false;
  }
  const auto found = normalized(m, g, rest);
  if (!found) return false;
  n.op = Op::kLayerNormalization;
  n.inputs = bias == kNoValue ? std::vector{found->x, scale} : std::vector{found->x, scale, bias};
  n.attributes = Attributes{{"axis", int64_t{-1}}, {"epsilon", found->epsilon}};
  return true;
}

}  // namespace

Result<bool> fuse_layer_norm(Graph& graph, const PassContext&) {
  Matcher m(graph);
  bool changed = false;
  // First with bias: a Mul that an Add absorbs must not fuse alone.
  for (const Op last : {Op::kAdd, Op::kMul})
    for (NodeId id : graph.order()) {
      if (graph.node(id).op != last || !fuse_at(m, graph, graph.node(id))) continue;
      changed = true;
      m.refresh();
    }
  if (changed) graph.remove_dead();
  return changed;
}

}  // namespace ingot
