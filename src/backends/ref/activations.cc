#include "backends/ref/activations.h"

#include <cmath>

#include "base/status.h"

namespace ingot {
namespace {

float silu(float x) { return static_cast<float>(x / (1.0 + std::exp(-static_cast<double>(x)))); }
float gelu(float x) { return static_cast<float>(0.5 * x * (1.0 + std::erf(x * 0.70710678118654752440))); }
float gelu_tanh(float x) {
  const double v = x;
  return static_cast<float>(0.5 * v * (1.0 + std::tanh(0.79788456080286535588 * (v + 0.044715 * v * v * v))));
}
float relu(float x) { return x > 0 ? x : 0; }

}  // namespace

ActivationFn activation_by_name(std::string_view name) {
  if (name == "silu") return silu;
  if (name == "gelu") return gelu;
  if (name == "gelu_tanh") return gelu_tanh;
  INGOT_CHECK(name == "relu");
  return relu;
}

}  // namespace ingot
