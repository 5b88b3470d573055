// Convolutions take up what follows them: BatchNormalization and per-channel constants into weight and bias, then
// a residual sum and an activation into ingot.conv. Only f32, only where the convolution has one reader.
#include <cmath>

#include "passes/match.h"
#include "passes/pipeline.h"

namespace ingot {
namespace {

// y = conv * factor + offset per output channel, as a new weight and bias.
struct ChannelAffine {
  std::vector<double> factor, offset;
};

// A constant with one element per channel of the convolution's output, or a single element.
std::optional<std::vector<double>> per_channel(const Matcher& m, ValueId v, int64_t channels, int rank) {
  const Tensor* t = m.f32(v);
  if (!t || t->shape().rank() > rank) return std::nullopt;
  const Shape& s = t->shape();
  const int64_t n = s.num_elements();
  if (n != 1) {
    const int at = s.rank() - (rank - 1);  // where the channel dimension lies
    if (at < 0 || at >= s.rank() || s[at] != channels || n != channels) return std::nullopt;
  }
  std::vector<double> out;
  for (int64_t i = 0; i < channels; ++i) out.push_back(t->as<float>()[n == 1 ? 0 : i]);
  return out;
}

std::optional<ChannelAffine> batch_norm(const Matcher& m, const Node& n, int64_t channels) {
  const Tensor* p[4];
  for (size_t i = 0; i < 4; ++i) {
    p[i] = m.f32(n.inputs[i + 1]);
    if (!p[i] || p[i]->shape().num_elements() != channels) return std::nullopt;
  }
  ChannelAffine a;
  for (int64_t c = 0; c < channels; ++c) {
    const double f =
        p[0]->as<float>()[c] / std::sqrt(double{p[3]->as<float>()[c]} + n.attributes.get_float("epsilon", 1e-5f));
    a.factor.push_back(f);
    a.offset.push_back(p[1]->as<float>()[c] - p[2]->as<float>()[c] * f);
  }
  return a;
}

// What `n` does to the output of the convolution that makes `conv_out`.
std::optional<ChannelAffine> affine_of(const Matcher& m, const Node& n, ValueId conv_out, int64_t channels, int rank) {
  if (n.op == Op::kBatchNormalization) return n.inputs[0] == conv_out ? batch_norm(m, n, channels) : std::nullopt;
  const bool multiplies = n.op == Op::kMul;
  if (!multiplies && n.op != Op::kAdd) return std::nullopt;
  auto values = per_channel(m, Matcher::other(n, conv_out), channels, rank);
  if (!values) return std::nullopt;
  const std::vector<double> neutral(static_cast<size_t>(channels), multiplies ? 0 : 1);
  return multiplies ? ChannelAffine{*std::move(values), neutral} : ChannelAffine{neutral, *std::move(values)};
}

// Conv followed by an affine map per channel: `n` becomes the convolution.
bool absorb_affine(Matcher& m, Node& n) {
  Graph& g = m.graph();
  for (size_t i = 0; i < n.inputs.size() && i < 2; ++i) {
    const Node* conv = m.absorbed(n.inputs[i], Op::kConv);
    if (!conv) continue;
    const Tensor* w = m.f32(conv->inputs[1]);
    const bool has_bias = conv->inputs.size() > 2 && conv->inputs[2] != kNoValue;
    const Tensor* b = has_bias ? m.f32(conv->inputs[2]) : nullptr;
    if (!w || (has_bias && !b)) continue;
    const int64_t channels = w->shape()[0];
    const auto affine = affine_of(m, n, n.inputs[i], channels, w->shape().rank());
    if (!affine) continue;
    Tensor weight = Tensor::allocate(DType::kF32, w->shape()), bias = Tensor::allocate(DType::kF32, Shape{channels});
    const int64_t per = channels ? w->shape().num_elements() / channels : 0;
    for (int64_t c = 0; c < channels; ++c) {
      const double f = affine->factor[static_cast<size_t>(c)];
      for (int64_t k = 0; k < per; ++k)
        weight.mutable_as<float>()[c * per + k] = static_cast<float>(w->as<float>()[c * per + k] * f);
      bias.mutable_as<float>()[c] =
          static_cast<float>((b ? b->as<float>()[c] : 0) * f + affine->offset[static_cast<size_t>(c)]);
    }
    const std::string name = g.value(conv->inputs[1]).name;
    const ValueId x = conv->inputs[0];
    Attributes attributes = conv->attributes;
    n.op = Op::kConv;
    n.attributes = std::move(attributes);
    n.inputs = {x, g.add_constant(name + ".fused", std::move(weight)), g.add_constant(name + ".bias", std::move(bias))};
    return true;
  }
  return false;
}

const Node* absorbed_conv(const Matcher& m, ValueId v) {
  const Node* conv = m.absorbed(v, Op::kConv);
  if (!conv) conv = m.absorbed(v, Op::kFusedConv);
  return conv && conv->attributes.get_string("activation", "none") == "none" ? conv : nullptr;
}

// Conv + tensor of the same shape.
bool absorb_residual(Matcher& m, Node& n) {
  if (n.op != Op::kAdd || n.inputs[0] == n.inputs[1] || !m.same_shape(n.inputs[0], n.inputs[1])) return false;
  for (size_t i : {1, 0}) {
    const Node* conv = absorbed_conv(m, n.inputs[i]);
    if (!conv || conv->inputs.size() > 3) continue;
    const ValueId residual = n.inputs[1 - i];
    std::vector<ValueId> inputs = conv->inputs;
    inputs.resize(3, kNoValue);
    inputs.push_back(residual);
    n.op = Op::kFusedConv;
    n.attributes = conv->attributes;
    n.inputs = std::move(inputs);
    return true;
  }
  return false;
}

bool absorb_activation(Matcher& m, Node& n) {
  const auto spec = activation_of(m, n, false);
  const Node* conv = spec ? absorbed_conv(m, n.inputs[0]) : nullptr;
  if (!conv) return false;
  n.op = Op::kFusedConv;
  n.inputs = conv->inputs;
  n.attributes = conv->attributes;
  set_activation(n.attributes, *spec);
  return true;
}

}  // namespace

Result<bool> fuse_conv(Graph& graph, const PassContext&) {
  Matcher m(graph);
  bool changed = false;
  for (const RewriteRule rule : {absorb_affine, absorb_residual, absorb_activation})
    changed |= rewrite_nodes(m, [](DType t) { return t == DType::kF32; }, rule);
  return changed;
}

}  // namespace ingot
