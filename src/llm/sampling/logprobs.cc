// See logprobs.h.
#include "llm/sampling/logprobs.h"

#include <algorithm>
#include <cmath>

#include "llm/sampling/dense_math.h"

namespace ingot::llm {

float Logprobs::clamped(float logit) const {
  const auto x = static_cast<float>(static_cast<double>(logit) - log_sum_);
  return x > kLogprobMin ? std::min(x, 0.0f) : kLogprobMin;
}

void Logprobs::compute(std::span<const float> logits, int32_t n) {
  best_.reset(logits);
  const float max = best_.max_logit();
  log_sum_ = max + std::log(sum_exp(logits, max));
  top_.clear();
  if (n <= 0) return;
  best_.keep_top(static_cast<size_t>(n));
  for (const Candidate& c : best_.view()) top_.push_back({c.id, clamped(c.logit)});
}

float Logprobs::of(std::span<const float> logits, Token token) const {
  return clamped(logits[static_cast<size_t>(token)]);
}

}  // namespace ingot::llm
