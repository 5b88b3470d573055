// Repetition, frequency and presence penalties over the last tokens (prompt and answer).
//
//   logit > 0: logit / repeat, else logit * repeat    (Keskar et al. 2019, CTRL)
//   logit - count * frequency - (count > 0) * presence    (the OpenAI API)
// Counts are kept up to date token by token: a step costs the distinct tokens of the window.
// Not thread-safe; one per Sampler.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "llm/sampling/candidates.h"

namespace ingot::llm {

class Penalties {
 public:
  explicit Penalties(const SamplerParams& params);

  bool active() const { return active_; }
  // history: all tokens so far; its last one has just been added.
  void accept(std::span<const Token> history);
  void apply(Candidates& candidates) const;

 private:
  struct Count {
    Token token;
    int32_t count;
  };
  void add(Token token);
  void remove(Token token);
  float penalized(float logit, int32_t count) const;

  float repeat_, frequency_, presence_;
  int64_t last_n_;  // -1: all
  bool active_;
  std::vector<Count> counts_;  // by rising token
};

}  // namespace ingot::llm
