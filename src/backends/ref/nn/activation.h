// The activation a fused op applies to each element: its attributes `activation`, `alpha`, `beta`.
// Thread-safety: constant after construction.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "ir/attributes.h"

namespace ingot {

class Activation {
 public:
  explicit Activation(const Attributes& a)
      : name_(a.get_string("activation", "none")), alpha_(a.get_float("alpha")), beta_(a.get_float("beta")) {}

  double operator()(double x) const {
    if (name_ == "none") return x;
    if (name_ == "relu") return std::max(x, 0.0);
    if (name_ == "leaky_relu") return x < 0 ? x * alpha_ : x;
    if (name_ == "clip") return std::min(std::max(x, static_cast<double>(alpha_)), static_cast<double>(beta_));
    if (name_ == "sigmoid") return 1 / (1 + std::exp(-x));
    if (name_ == "tanh") return std::tanh(x);
    if (name_ == "hard_sigmoid") return std::max(0.0, std::min(1.0, alpha_ * x + beta_));
    if (name_ == "hard_swish") return x * std::max(0.0, std::min(1.0, x / 6 + 0.5));
    if (name_ == "silu") return x / (1 + std::exp(-x));
    if (name_ == "gelu") return 0.5 * x * (1 + std::erf(x * std::sqrt(0.5)));
    if (name_ == "gelu_tanh") return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    INGOT_CHECK(false);
  }

 private:
  std::string name_;
  float alpha_, beta_;
};

}  // namespace ingot
