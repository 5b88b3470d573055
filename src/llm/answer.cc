#include "llm/answer.h"

#include <algorithm>

namespace ingot::llm {

std::string_view finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEndOfGeneration:
    case FinishReason::kStopToken:
    case FinishReason::kStopString: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kContextFull: return "context_full";
    case FinishReason::kCancelled: return "cancelled";
  }
  return "";
}

Result<SamplerVocab> sampler_vocab(const Tokenizer& tokenizer, int64_t size, const SamplerParams& params) {
  SamplerVocab vocab{.size = size};
  for (int id : tokenizer.special().end_of_generation)
    if (id < size) vocab.eog.push_back(id);
  if (params.dry_multiplier > 0)
    vocab.dry_breakers = INGOT_TRY(DryBreakers::build(
        params.dry_sequence_breakers, std::min<int64_t>(size, tokenizer.vocab_size()),
        [&](Token t) { return tokenizer.token_bytes(t); },
        [&](std::string_view text) { return tokenizer.encode(text, false); }));
  return vocab;
}

Answer::Answer(std::shared_ptr<const Tokenizer> tokenizer, Sampler sampler, AnswerOptions options, StopMatcher stops)
    : tokenizer_(tokenizer),
      sampler_(std::move(sampler)),
      options_(std::move(options)),
      detokenizer_(std::move(tokenizer), !options_.show_special, options_.shown_tokens),
      stops_(std::move(stops)) {}

Result<Answer> Answer::create(std::shared_ptr<const Tokenizer> tokenizer, Sampler sampler, AnswerOptions options) {
  StopMatcher stops = INGOT_TRY(StopMatcher::create(options.stop));
  return Answer(std::move(tokenizer), std::move(sampler), std::move(options), std::move(stops));
}

bool Answer::is_stop_token(int32_t id) const {
  return std::ranges::find(options_.stop_token_ids, id) != options_.stop_token_ids.end();
}

// True: a stop string is complete.
bool Answer::push_text(std::string_view text, Step& step) {
  const auto matched = stops_.push(text);
  step.text += matched.emit;
  if (!matched.stopped) return false;
  stop_string_ = matched.matched;
  if (options_.include_stop) step.text += matched.matched;
  step.finish = FinishReason::kStopString;
  return true;
}

Result<Answer::Step> Answer::next(std::span<const float> logits, std::optional<int32_t> forced) {
  const auto allowed = mask_ ? mask_->allowed() : std::span<const uint64_t>{};
  if (const auto why = mask_ ? mask_->why_none() : std::string_view(); !why.empty())
    return error(Code::kFailedPrecondition, "[grammar] {}", why);
  const Sampled sampled = INGOT_TRY(sampler_.sample(logits, allowed));
  const int32_t id = forced.value_or(sampled.id);
  sampler_.accept(id);
  if (mask_) mask_->accept(id);
  if (!forced && (tokenizer_->is_end_of_generation(id) || is_stop_token(id))) {
    stop_token_ = id;
    return end(tokenizer_->is_end_of_generation(id) ? FinishReason::kEndOfGeneration : FinishReason::kStopToken);
  }
  ++num_tokens_;
  Step step;
  step.token = TokenInfo{.id = id};
  if (sampled.logprob && id == sampled.id) {
    step.token->logprob = sampled.logprob;
    step.token->top.assign(sampled.top.begin(), sampled.top.end());
  }
  if (push_text(detokenizer_.push(id), step)) return step;
  const bool full = num_tokens_ >= options_.context_left;
  if (!full && (options_.max_tokens < 0 || num_tokens_ < options_.max_tokens)) return step;
  Step last = end(full ? FinishReason::kContextFull : FinishReason::kLength);
  last.text.insert(0, step.text);
  last.token = std::move(step.token);
  return last;
}

Answer::Step Answer::end(FinishReason reason) {
  Step step;
  if (push_text(detokenizer_.finish(), step)) return step;
  step.text += stops_.flush().emit;
  step.finish = reason;
  return step;
}

}  // namespace ingot::llm
