// Log-probabilities of the model's own distribution: log softmax of the raw logits, before biases,
// masks and every sampling step (as OpenAI's API and vLLM report them).
#pragma once

#include <span>
#include <vector>

#include "llm/sampling/candidates.h"

namespace ingot::llm {

struct TokenLogprob {
  Token id;
  float logprob;  // nats; never below kLogprobMin, so that it can be written as JSON
};
inline constexpr float kLogprobMin = -9999.0f;

class Logprobs {
 public:
  // logits: [V]. Finds the n likeliest. Cost: one pass of e^x over V.
  void compute(std::span<const float> logits, int32_t n);

  float of(std::span<const float> logits, Token token) const;
  std::span<const TokenLogprob> top() const { return top_; }  // likeliest first

 private:
  float clamped(float logit) const;

  Candidates best_;
  std::vector<TokenLogprob> top_;
  double log_sum_ = 0;
};

}  // namespace ingot::llm
