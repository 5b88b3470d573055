// The activations of ONNX's recurrent operators, by name, for inference and kernels. Names match whatever their case.
// Thread-safety: pure functions of values.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "ir/attributes.h"

namespace ingot {

enum class RnnFunction {
  kRelu,
  kTanh,
  kSigmoid,
  kSoftsign,
  kSoftplus,
  kAffine,
  kLeakyRelu,
  kThresholdedRelu,
  kScaledTanh,
  kHardSigmoid,
  kElu
};

struct RnnActivation {
  RnnFunction function = RnnFunction::kTanh;
  double alpha = 0, beta = 0;  // its parameters, where it has any

  double operator()(double x) const;
};

// With its default parameters.
std::optional<RnnActivation> find_rnn_activation(std::string_view name);

// A node's activations, `defaults` repeated for each direction where it names none: attributes `activations`, and
// `activation_alpha` and `activation_beta`, whose values go in order to the functions that take them.
std::vector<RnnActivation> rnn_activations(const Attributes& attributes, std::vector<std::string_view> defaults,
                                           size_t directions);

}  // namespace ingot
