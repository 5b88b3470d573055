// The activations that kernels apply to what they compute, by name. No ISA, no graph: plain values.
#pragma once

#include <cstdint>

namespace ingot {

enum class Act : uint8_t {
  kNone,
  kRelu,
  kClip,         // min(beta, max(alpha, x))
  kLeakyRelu,    // alpha x below 0
  kSigmoid,      //
  kTanh,         //
  kHardSigmoid,  // max(0, min(1, alpha x + beta))
  kHardSwish,    // x max(0, min(1, x / 6 + 1/2))
  kSilu,         // x sigmoid(alpha x)
  kGelu,         // x (1 + erf(x / sqrt 2)) / 2
  kGeluTanh,     // its approximation by tanh
};

struct ActSpec {
  Act kind = Act::kNone;
  float alpha = 0, beta = 0;
};

}  // namespace ingot
