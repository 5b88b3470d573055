// Chooses the next token of one sequence from the model's logits.
//
// The chain is llama.cpp's: logit bias, then the steps of SamplerParams::order, then a draw. The
// parts stand in llm/sampling/: candidates (selection), truncation, penalties, dry, mirostat,
// logprobs, philox (random numbers). Greedy is one pass over the row.
// The same seed, logits and tokens give the same choice on every machine.
// Ownership: plain value, keeps nothing of the caller's. Not thread-safe; one per sequence.
// Limits: base/limits.h (sampling).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/status.h"
#include "llm/sampling/candidates.h"
#include "llm/sampling/dry.h"
#include "llm/sampling/logprobs.h"
#include "llm/sampling/mirostat.h"
#include "llm/sampling/penalties.h"
#include "llm/sampling/sampler_params.h"

namespace ingot::llm {

// What a sampler must know of the model.
struct SamplerVocab {
  int64_t size = 0;        // V
  std::vector<Token> eog;  // end-of-generation tokens
  // Needed when dry_multiplier > 0 (may be null then too: no breakers). DryBreakers::build makes it;
  // costly, so build it once for one list of strings.
  std::shared_ptr<const DryBreakers> dry_breakers;
  std::vector<Token> stops;  // the request's own ends: barred, too, until min_tokens were generated
};

struct Sampled {
  Token id = -1;
  // Set if SamplerParams::logprobs asks for it. top is valid until the next sample().
  std::optional<float> logprob;
  std::span<const TokenLogprob> top;
};

class Sampler {
 public:
  // Errors: kInvalidArgument for a value out of range or a biased token outside the vocabulary.
  static Result<Sampler> create(SamplerParams params, SamplerVocab vocab);

  // The prompt's tokens: the penalties look at them.
  void accept_prompt(std::span<const Token> tokens);
  // A token that was chosen. Call it once after each sample(), with the token that is kept.
  void accept(Token token);

  // logits:       [V] f32; NaN counts as -infinity
  // allowed_mask: bit t % 64 of word t / 64 set: token t may be chosen; empty: all may
  // Cost: no allocation in steady state.
  // Errors: kInvalidArgument if the sizes are wrong, kFailedPrecondition if no token can be chosen.
  // An end is chosen in spite of ignore_eos and min_tokens if a mask allows only it.
  Result<Sampled> sample(std::span<const float> logits, std::span<const uint64_t> allowed_mask = {});

  // What the last sample() drew from, with probabilities that sum to 1.
  std::span<const Candidate> candidates() const { return candidates_.view(); }
  const SamplerParams& params() const { return params_; }
  uint64_t seed() const { return seed_; }

 private:
  Sampler(SamplerParams params, SamplerVocab vocab);
  void prepare(std::span<const float> logits, std::span<const uint64_t> mask, bool bar_eog, bool bar_stops);
  void run_steps();
  void run_step(SamplerStep step);
  void pick_likeliest();
  void remember(Token token, bool of_prompt);
  Token draw();
  bool has_step(SamplerStep step) const;

  SamplerParams params_;
  SamplerVocab vocab_;
  uint64_t seed_;
  uint64_t step_ = 0;  // tokens generated
  bool greedy_, remembers_;
  Penalties penalties_;
  Dry dry_;
  Mirostat mirostat_;
  Candidates candidates_;
  Logprobs logprobs_;
  std::vector<Token> history_;  // only if a penalty needs it
};

}  // namespace ingot::llm
