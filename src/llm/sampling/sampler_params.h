// What a request may say about how its tokens are chosen, and the check of it.
//
// Names, defaults and meaning follow llama.cpp's request fields; the OpenAI fields are a subset.
// Every protocol and the command line fill this one struct; validate() is the only judge of it.
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace ingot::llm {

using Token = int32_t;

// The steps of the chain that can be ordered. Mirostat replaces all of them but the temperature.
enum class SamplerStep : uint8_t {
  kPenalties,
  kDry,
  kTopNSigma,
  kTopK,
  kTypicalP,
  kTopP,
  kMinP,
  kXtc,
  kTemperature,
};

struct SamplerParams {
  // Which steps run, in this order.
  std::vector<SamplerStep> order = {SamplerStep::kPenalties, SamplerStep::kDry,      SamplerStep::kTopNSigma,
                                    SamplerStep::kTopK,      SamplerStep::kTypicalP, SamplerStep::kTopP,
                                    SamplerStep::kMinP,      SamplerStep::kXtc,      SamplerStep::kTemperature};

  float temperature = 0.8f;     // below 1e-5: greedy, and no step but penalties and DRY matters
  float dynatemp_range = 0.0f;  // > 0: temperature +- range, by the entropy of the candidates
  float dynatemp_exponent = 1.0f;

  int32_t top_k = 40;            // <= 0: off
  float top_p = 0.95f;           // 1: off
  float min_p = 0.05f;           // 0: off
  float typical_p = 1.0f;        // 1: off
  float top_n_sigma = -1.0f;     // <= 0: off
  float xtc_probability = 0.0f;  // 0: off
  float xtc_threshold = 0.1f;    // > 0.5: off
  int32_t min_keep = 0;          // top_p, min_p, typical_p and XTC leave at least this many

  int32_t mirostat = 0;       // 0 off, 1 or 2
  float mirostat_tau = 5.0f;  // wanted surprise, bits
  float mirostat_eta = 0.1f;  // learning rate

  int32_t repeat_last_n = 64;      // tokens looked at, prompt included; 0: off, -1: all
  float repeat_penalty = 1.0f;     // 1: off
  float frequency_penalty = 0.0f;  // 0: off
  float presence_penalty = 0.0f;   // 0: off
  bool prompt_counts = true;       // for the last two; OpenAI's interface counts the answer alone

  float dry_multiplier = 0.0f;  // 0: off
  float dry_base = 1.75f;
  int32_t dry_allowed_length = 2;
  int32_t dry_penalty_last_n = -1;  // 0: off, -1: all
  std::vector<std::string> dry_sequence_breakers = {"\n", ":", "\"", "*"};

  std::vector<std::pair<Token, float>> logit_bias;  // -infinity bars a token
  bool ignore_eos = false;                          // end-of-generation tokens are never chosen
  int32_t min_tokens = 0;                           // nor, like every other end, before so many were generated

  std::optional<uint64_t> seed;     // none: drawn anew for each sampler
  std::optional<int32_t> logprobs;  // none: off; n: the chosen token's and the n likeliest
};

// Names the field, its value and what it may be.
Result<void> validate(const SamplerParams& params);

// "penalties;dry;top_k;…" -> steps. Names as llama.cpp's; '-' equals '_'; each at most once.
Result<std::vector<SamplerStep>> parse_sampler_order(std::string_view text);
std::string sampler_order_text(const std::vector<SamplerStep>& order);

}  // namespace ingot::llm
