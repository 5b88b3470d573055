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

// divisors: per-frequency factors that a file carries as a tensor (Llama 3, LongRoPE), or empty.
// Sources: linear (Chen et al. 2023), YaRN (Peng et al. 2023, section 3), Llama 3.1's config.json, LongRoPE
// (Ding et al. 2024; the factor sqrt(1 + ln(s) / ln(L)) of Phi-3).
RopeFrequencies rope_frequencies(const RopeConfig& rope, int64_t context, std::span<const float> divisors);

}  // namespace ingot
