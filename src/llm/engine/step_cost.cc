#include "llm/engine/step_cost.h"

#include <algorithm>
#include <bit>

namespace ingot::llm {
namespace {

constexpr double kNewest = 0.2;        // weight of the newest observation
constexpr int64_t kTellingTokens = 8;  // fewer prompt tokens drown in the noise

size_t bucket(int64_t decodes) { return static_cast<size_t>(std::bit_width(static_cast<uint64_t>(decodes)) - 1); }

void blend(double& mean, double value) { mean = mean == 0 ? value : mean + kNewest * (value - mean); }

}  // namespace

// Of the nearest number of decodes that was seen; rather too little than too much.
double StepCost::decode_ms(int64_t decodes) const {
  const size_t at = std::min(bucket(decodes), decode_ms_.size() - 1);
  for (size_t i = at + 1; i-- > 0;)
    if (decode_ms_[i] > 0) return decode_ms_[i];
  for (size_t i = at + 1; i < decode_ms_.size(); ++i)
    if (decode_ms_[i] > 0) return decode_ms_[i];
  return 0;
}

void StepCost::observe(int64_t decodes, int64_t prompt_tokens, double ms) {
  if (prompt_tokens == 0 && decodes > 0) blend(decode_ms_[std::min(bucket(decodes), decode_ms_.size() - 1)], ms);
  if (prompt_tokens < kTellingTokens) return;
  const double rest = ms - (decodes > 0 ? decode_ms(decodes) : 0);
  blend(prompt_token_ms_, std::max(rest, 0.05 * ms) / static_cast<double>(prompt_tokens));
}

int64_t StepCost::prompt_budget(int64_t decodes) const {
  if (decodes == 0 || stall_ <= 1) return tokens_max_;
  const double alone_ms = decode_ms(decodes);
  if (alone_ms == 0 || prompt_token_ms_ == 0) return std::min<int64_t>(4 * tokens_min_, tokens_max_);
  const double fit = (stall_ - 1) * alone_ms / prompt_token_ms_;
  return static_cast<int64_t>(std::clamp(fit, static_cast<double>(tokens_min_), static_cast<double>(tokens_max_)));
}

}  // namespace ingot::llm
