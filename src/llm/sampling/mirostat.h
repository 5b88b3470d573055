// Mirostat 1 and 2 (Basu et al. 2020): a truncation that steers the surprise of the chosen tokens
// towards tau bits. mu, the present bound, starts at 2 tau and learns from every choice.
// Not thread-safe; one per Sampler.
#pragma once

#include <vector>

#include "llm/sampling/candidates.h"

namespace ingot::llm {

class Mirostat {
 public:
  explicit Mirostat(const SamplerParams& params);

  int version() const { return version_; }  // 0: off
  // Cuts the candidates and sets their probabilities. vocab_size: V.
  void truncate(Candidates& candidates, int64_t vocab_size) const;
  // p: the probability that the chosen token had.
  void learn(float p);

 private:
  void truncate_by_zipf(Candidates& candidates, int64_t vocab_size) const;

  int version_;
  float tau_, eta_, mu_;
};

}  // namespace ingot::llm
