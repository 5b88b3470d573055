// Repetition, frequency and presence penalties over the last tokens (prompt and answer).
//
//   logit > 0: logit / repeat, else logit * repeat    (Keskar et al. 2019, CTRL)
//   logit - said * frequency - (said > 0) * presence    (the OpenAI API)
// where `said` counts the answer's tokens, and the prompt's too if SamplerParams::prompt_counts (llama.cpp's rule).
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
  // history: all tokens so far; its last one has just been added. The prompt's come first.
  void accept(std::span<const Token> history, bool of_prompt);
  void apply(Candidates& candidates) const;

 private:
  struct Count {
    Token token;
    int32_t count, said;
  };
  void add(Token token, bool said);
  void remove(Token token, bool said);
  float penalized(float logit, const Count& count) const;

  float repeat_, frequency_, presence_;
  int64_t last_n_;  // -1: all
  bool active_, prompt_counts_;
  size_t prompt_tokens_ = 0;   // of the history
  std::vector<Count> counts_;  // by rising token
};

}  // namespace ingot::llm
