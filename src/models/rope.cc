#include "models/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ingot {
namespace {

// The (fractional) index of the frequency that turns `rotations` times over the original context.
double yarn_index(const RopeConfig& r, double rotations) {
  return static_cast<double>(r.rotary_dim) * std::log(r.original_context / (rotations * 2 * std::numbers::pi)) /
         (2 * std::log(r.base));
}

void apply_yarn(const RopeConfig& r, RopeFrequencies& f) {
  double low = yarn_index(r, r.beta_fast), high = yarn_index(r, r.beta_slow);
  if (r.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(0.0, low);
  high = std::min(static_cast<double>(r.rotary_dim) - 1, high);
  if (low == high) high += 0.001;
  for (size_t i = 0; i < f.inv_freq.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    f.inv_freq[i] = static_cast<float>(f.inv_freq[i] / r.factor * ramp + f.inv_freq[i] * (1 - ramp));
  }
  f.scale = static_cast<float>(r.attention_factor > 0 ? r.attention_factor : yarn_scale(r.factor));
}

void apply_llama3(const RopeConfig& r, RopeFrequencies& f) {
  const double long_wave = r.original_context / r.low_freq_factor, short_wave = r.original_context / r.high_freq_factor;
  for (float& inv : f.inv_freq) {
    const double wave = 2 * std::numbers::pi / inv;
    if (wave < short_wave) continue;
    if (wave > long_wave) {
      inv = static_cast<float>(inv / r.factor);
      continue;
    }
    const double smooth = (r.original_context / wave - r.low_freq_factor) / (r.high_freq_factor - r.low_freq_factor);
    inv = static_cast<float>((1 - smooth) * inv / r.factor + smooth * inv);
  }
}

}  // namespace

double yarn_scale(double factor, double weight) { return factor > 1 ? 0.1 * weight * std::log(factor) + 1 : 1; }

RopeFrequencies rope_frequencies(const RopeConfig& r, int64_t context, std::span<const float> divisors) {
  RopeFrequencies f;
  for (int64_t i = 0; i < r.rotary_dim; i += 2)
    f.inv_freq.push_back(
        static_cast<float>(std::pow(r.base, -static_cast<double>(i) / static_cast<double>(r.rotary_dim))));
  if (r.scaling == "linear")
    for (float& inv : f.inv_freq) inv = static_cast<float>(inv / r.factor);
  else if (r.scaling == "yarn")
    apply_yarn(r, f);
  else if (r.scaling == "llama3")
    apply_llama3(r, f);
  if (r.scaling != "yarn" && r.attention_factor > 0)
    f.scale = static_cast<float>(r.attention_factor);
  else if (r.scaling == "longrope" && r.factor > 1)
    f.scale = static_cast<float>(std::sqrt(1 + std::log(r.factor) / std::log(r.original_context)));
  const bool extended = static_cast<double>(context) > r.original_context;
  if (divisors.empty() && r.scaling == "longrope")
    divisors = extended ? std::span(r.long_factors) : std::span(r.short_factors);
  for (size_t i = 0; i < std::min(f.inv_freq.size(), divisors.size()); ++i) f.inv_freq[i] /= divisors[i];
  return f;
}

}  // namespace ingot
