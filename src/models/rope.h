// The rotary frequencies of a model: every scaling method comes down to one table and one factor.
#pragma once

#include <span>
#include <vector>

#include "models/config.h"

namespace ingot {

struct RopeFrequencies {
  std::vector<float> inv_freq;  // [rotary_dim / 2]
  float scale = 1;              // multiplies cos and sin
};

// YaRN's factor on cos and sin, 0.1 weight ln(factor) + 1; 1 for a factor up to 1.
double yarn_scale(double factor, double weight = 1);

// Reads how the model scales its rotation. On entry base, rotary_dim and original_context hold what they are unless the
// file says otherwise; context: what the model is made for. Errors: kInvalidArgument, kUnimplemented, naming the field.
Result<void> read_rope_scaling(const Hyperparameters& h, RopeConfig& rope, double context, bool gguf);

// divisors: per-frequency factors that a file carries as a tensor (Llama 3, LongRoPE), or empty.
// Sources: linear (Chen et al. 2023), YaRN (Peng et al. 2023, section 3), Llama 3.1's config.json, LongRoPE
// (Ding et al. 2024; the factor sqrt(1 + ln(s) / ln(L)) of Phi-3).
RopeFrequencies rope_frequencies(const RopeConfig& rope, int64_t context, std::span<const float> divisors);

}  // namespace ingot
