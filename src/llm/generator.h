// Answers one prompt after another on one sequence: prefill in chunks, then decode until something ends it.
//
// What the next prompt shares with what is already in the cache is not computed again, so a chat pays only for
// its new turn. Thread-safety: one thread; cancel() from any, also a signal handler.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "llm/answer.h"
#include "llm/loaded_model.h"

namespace ingot::llm {

struct GenerateOptions {
  SamplerParams sampler;
  int64_t max_tokens = -1;  // -1: until the model ends or the context is full
  std::vector<std::string> stop;
  bool show_special = false;    // the text of special tokens, too
  std::vector<int32_t> forced;  // teacher forcing: taken in place of the first sampled tokens
  // Text as it becomes certain; never half a code point, never part of a stop string.
  std::function<void(std::string_view)> on_text;
  // The logits [V] that each token was chosen from.
  std::function<void(std::span<const float>)> on_logits;
};

struct Generation {
  std::string text;
  std::vector<int32_t> token_ids;   // without the end-of-generation token
  std::vector<TokenInfo> logprobs;  // if the sampler's logprobs are on
  FinishReason finish_reason = FinishReason::kLength;
  std::string stop_string;  // which one, for kStopString
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;            // of the prompt, found in the cache
  double prompt_ms = 0, decode_ms = 0;  // decode: from the first token on
};

class Generator {
 public:
  // The model must outlive it.
  explicit Generator(LoadedModel& model);
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  // prompt: all tokens of the conversation so far, at least one.
  // Errors: kInvalidArgument (empty prompt, sampler parameters), kOutOfRange (prompt past the context).
  Result<Generation> generate(std::span<const int32_t> prompt, const GenerateOptions& options);
  // Ends the running generate() after its current step, and each that begins before resume(): none is too early.
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  void resume() { cancelled_.store(false, std::memory_order_relaxed); }

 private:
  Result<Answer> make_answer(std::span<const int32_t> prompt, const GenerateOptions& options);
  Result<std::span<const float>> prefill(std::span<const int32_t> prompt, Generation& out);
  Result<void> decode(std::span<const float> logits, Answer& answer, const GenerateOptions& options, Generation& out);

  LoadedModel& model_;
  BreakerCache breakers_;
  SeqId seq_;
  std::vector<int32_t> cached_;  // the tokens whose keys and values the sequence holds
  std::atomic<bool> cancelled_{false};
};

}  // namespace ingot::llm
