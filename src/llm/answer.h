// One answer as it grows: logits in, tokens and certain text out, until something ends it.
//
// Joins what every decoding loop needs: sampler, token mask, detokenizer, stop strings, length limits. Used by
// Generator (one sequence) and by engine/ (many). Ownership: owns all of it.
// Thread-safety: none; one per answer.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "llm/sampling/sampler.h"
#include "llm/stop.h"
#include "llm/token_mask.h"
#include "text/tokenizer.h"

namespace ingot::llm {

enum class FinishReason : uint8_t {
  kEndOfGeneration,  // the model ended its answer: "stop"
  kStopToken,        // a token of AnswerOptions::stop_token_ids: "stop"
  kStopString,       // "stop"
  kLength,           // max_tokens: "length"
  kContextFull,      // the sequence reached the context's end: "context_full"
  kCancelled,        // "cancelled"
};
std::string_view finish_reason_name(FinishReason reason);

struct TokenInfo {
  int32_t id = -1;
  std::optional<float> logprob;  // if the sampler's logprobs are on; none for a forced token and a prompt's first
  std::vector<TokenLogprob> top;
};

struct AnswerOptions {
  int64_t max_tokens = -1;   // -1: no limit
  int64_t context_left = 0;  // tokens after which the context is full: context - prompt + 1
  std::vector<std::string> stop;
  std::vector<int32_t> stop_token_ids;
  bool include_stop = false;  // the stop string stays at the end of the text
  bool show_special = false;
  std::vector<int32_t> shown_tokens;  // special tokens that are text nevertheless
};

class Answer {
 public:
  struct Step {
    std::optional<TokenInfo> token;  // empty for a token that only ends the answer
    std::string text;                // certain now
    std::optional<FinishReason> finish;
  };

  // Errors: kInvalidArgument (stop strings).
  static Result<Answer> create(std::shared_ptr<const Tokenizer> tokenizer, Sampler sampler, AnswerOptions options);
  // Constrains the tokens from now on; null: not any more.
  void use_mask(std::unique_ptr<TokenMask> mask) { mask_ = std::move(mask); }

  // Chooses the next token from logits [V]; `forced` is taken in place of the choice, and never ends the answer by
  // itself. Errors: kFailedPrecondition if no token can be chosen, or a grammar met its limits.
  Result<Step> next(std::span<const float> logits, std::optional<int32_t> forced = {});
  // Ends it here: what was held back comes out, unless it completes a stop string.
  Step end(FinishReason reason);

  bool ends_at_once() const { return options_.max_tokens == 0; }  // no token is wanted: end(kLength)
  int64_t num_tokens() const { return num_tokens_; }
  const std::string& stop_string() const { return stop_string_; }  // which one, after kStopString
  std::optional<int32_t> stop_token() const { return stop_token_; }
  const Sampler& sampler() const { return sampler_; }

 private:
  Answer(std::shared_ptr<const Tokenizer> tokenizer, Sampler sampler, AnswerOptions options, StopMatcher stops);
  bool push_text(std::string_view text, Step& step);
  bool is_stop_token(int32_t id) const;

  std::shared_ptr<const Tokenizer> tokenizer_;
  Sampler sampler_;
  AnswerOptions options_;
  std::unique_ptr<TokenMask> mask_;
  StreamingDetokenizer detokenizer_;
  StopMatcher stops_;
  int64_t num_tokens_ = 0;
  std::string stop_string_;
  std::optional<int32_t> stop_token_;
};

// What a sampler must know of the model; builds the DRY breakers only if the parameters ask for them.
// vocab: the logits' width V. Errors: kInvalidArgument (breakers).
Result<SamplerVocab> sampler_vocab(const Tokenizer& tokenizer, int64_t vocab, const SamplerParams& params);

}  // namespace ingot::llm
