// What steps cost on this machine, learned while they run: how many prompt tokens fit beside the decodes.
//
// Rule: a step with prompt tokens takes at most `stall` times what the same decodes take alone, so a long prompt
// slows the others' streams by that factor and no more. Without decodes there is nobody to stall.
// Thread-safety: the engine's thread.
#pragma once

#include <array>
#include <cstdint>

namespace ingot::llm {

class StepCost {
 public:
  // stall: > 1; tokens_min: prompt tokens of a step at least, so that prompts advance.
  StepCost(double stall, int64_t tokens_min, int64_t tokens_max)
      : stall_(stall), tokens_min_(tokens_min), tokens_max_(tokens_max) {}

  // A step of so many decoded and prompt tokens took so long.
  void observe(int64_t decodes, int64_t prompt_tokens, double ms);
  // Prompt tokens for the next step beside so many decodes.
  int64_t prompt_budget(int64_t decodes) const;

 private:
  double decode_ms(int64_t decodes) const;  // 0: not known

  double stall_;
  int64_t tokens_min_, tokens_max_;
  std::array<double, 24> decode_ms_{};  // by log2 of the number of decodes; 0: not seen
  double prompt_token_ms_ = 0;          // what one more costs; 0: not seen
};

}  // namespace ingot::llm
