#include "backends/cpu/ops/fused_activation.h"

namespace ingot {

std::optional<ActSpec> fused_activation(const Attributes& a) {
  struct Name {
    std::string_view name;
    Act kind;
  };
  static constexpr Name kNames[] = {
      {"none", Act::kNone}, {"relu", Act::kRelu}, {"leaky_relu", Act::kLeakyRelu},     {"sigmoid", Act::kSigmoid},
      {"tanh", Act::kTanh}, {"clip", Act::kClip}, {"hard_sigmoid", Act::kHardSigmoid}, {"hard_swish", Act::kHardSwish},
      {"silu", Act::kSilu}, {"gelu", Act::kGelu}, {"gelu_tanh", Act::kGeluTanh}};
  const std::string name = a.get_string("activation", "none");
  for (const Name& n : kNames) {
    if (n.name != name) continue;
    if (n.kind == Act::kSilu) return ActSpec{n.kind, 1, 0};
    return ActSpec{n.kind, a.get_float("alpha"), a.get_float("beta")};
  }
  return std::nullopt;
}

}  // namespace ingot
