#include "passes/match.h"

#include <cmath>
#include <limits>

namespace ingot {

void Matcher::refresh() {
  readers_.assign(graph_.num_values(), 0);
  for (NodeId n : graph_.order())
    for (ValueId v : graph_.node(n).inputs)
      if (v != kNoValue) ++readers_[static_cast<size_t>(v)];
  for (ValueId v : graph_.outputs()) readers_[static_cast<size_t>(v)] += 2;
}

const Node* Matcher::producer(ValueId v, Op op) const {
  if (v == kNoValue || graph_.value(v).producer == kNoNode) return nullptr;
  const Node& n = graph_.node(graph_.value(v).producer);
  return n.op == op ? &n : nullptr;
}

bool Matcher::absorbable(ValueId v) const {
  return v != kNoValue && static_cast<size_t>(v) < readers_.size() && readers_[static_cast<size_t>(v)] == 1;
}

std::optional<double> Matcher::scalar(ValueId v) const {
  const Tensor* t = graph_.constant(v);
  if (!t || !t->defined() || t->shape().num_elements() != 1) return std::nullopt;
  if (t->dtype() == DType::kF32) return *t->as<float>();
  if (t->dtype() == DType::kF64) return *t->as<double>();
  return std::nullopt;
}

bool Matcher::is_scalar(ValueId v, double wanted, double tolerance) const {
  const auto s = scalar(v);
  return s && std::fabs(*s - wanted) <= tolerance * std::fabs(wanted);
}

const Tensor* Matcher::f32(ValueId v) const {
  const Tensor* t = graph_.constant(v);
  return t && t->defined() && t->dtype() == DType::kF32 ? t : nullptr;
}

std::optional<std::vector<int64_t>> Matcher::ints(ValueId v) const {
  const Tensor* t = graph_.constant(v);
  if (!t || !t->defined()) return std::nullopt;
  const int64_t n = t->shape().num_elements();
  if (t->dtype() == DType::kI64) return std::vector<int64_t>(t->as<int64_t>(), t->as<int64_t>() + n);
  if (t->dtype() == DType::kI32) return std::vector<int64_t>(t->as<int32_t>(), t->as<int32_t>() + n);
  return std::nullopt;
}

bool Matcher::same_shape(ValueId a, ValueId b) const {
  const Type &x = graph_.value(a).type, &y = graph_.value(b).type;
  return x.ranked() && y.ranked() && *x.dims == *y.dims;
}

bool rewrite_nodes(Matcher& m, bool (*takes)(DType), RewriteRule rule) {
  Graph& graph = m.graph();
  bool changed = false;
  for (NodeId id : graph.order()) {
    Node& n = graph.node(id);
    if (n.outputs.size() != 1 || !takes(graph.value(n.outputs[0]).type.dtype) || !rule(m, n)) continue;
    changed = true;
    m.refresh();
  }
  if (changed) graph.remove_dead();
  m.refresh();
  return changed;
}

std::optional<ActivationSpec> activation_of(const Matcher& m, const Node& n, bool with_gelu) {
  switch (n.op) {
    case Op::kRelu: return ActivationSpec{"relu"};
    case Op::kSigmoid: return ActivationSpec{"sigmoid"};
    case Op::kTanh: return ActivationSpec{"tanh"};
    case Op::kHardSwish: return ActivationSpec{"hard_swish"};
    case Op::kLeakyRelu: return ActivationSpec{"leaky_relu", n.attributes.get_float("alpha", 0.01f)};
    case Op::kHardSigmoid:
      return ActivationSpec{"hard_sigmoid", n.attributes.get_float("alpha", 0.2f),
                            n.attributes.get_float("beta", 0.5f)};
    case Op::kSwish:
      if (n.attributes.get_float("alpha", 1) == 1) return ActivationSpec{"silu"};
      return std::nullopt;
    case Op::kGelu:
      if (!with_gelu) return std::nullopt;
      return ActivationSpec{n.attributes.get_string("approximate", "none") == "tanh" ? "gelu_tanh" : "gelu"};
    case Op::kClip: {
      ActivationSpec spec{"clip", std::numeric_limits<float>::lowest(), std::numeric_limits<float>::max()};
      for (size_t i = 1; i < n.inputs.size(); ++i) {
        if (n.inputs[i] == kNoValue) continue;
        const auto bound = m.scalar(n.inputs[i]);
        if (!bound) return std::nullopt;
        (i == 1 ? spec.alpha : spec.beta) = static_cast<float>(*bound);
      }
      return spec;
    }
    default: return std::nullopt;
  }
}

void set_activation(Attributes& attributes, const ActivationSpec& spec) {
  attributes.set("activation", spec.name);
  attributes.set("alpha", spec.alpha);
  attributes.set("beta", spec.beta);
}

}  // namespace ingot
