#include "llm/generator.h"

#include <algorithm>

#include "base/clock.h"

namespace ingot::llm {
namespace {

// Prompt tokens of one step: enough to amortize reading the weights, small enough that activations stay in cache.
constexpr size_t kPrefillChunk = 512;

std::span<const float> as_span(const TensorView& logits) {
  return {logits.as<float>(), static_cast<size_t>(logits.num_elements())};
}

}  // namespace

Generator::Generator(LoadedModel& model) : model_(model), seq_(model.runner->add_sequence()) {}
Generator::~Generator() { model_.runner->remove_sequence(seq_); }

Result<Answer> Generator::make_answer(std::span<const int32_t> prompt, const GenerateOptions& o) {
  SamplerVocab vocab = INGOT_TRY(sampler_vocab(*model_.tokenizer, model_.runner->vocab(), o.sampler, breakers_));
  Sampler sampler = INGOT_TRY(Sampler::create(o.sampler, std::move(vocab)));
  sampler.accept_prompt(prompt);
  const int64_t left = model_.runner->context() - static_cast<int64_t>(prompt.size()) + 1;
  return Answer::create(
      model_.tokenizer, std::move(sampler),
      {.max_tokens = o.max_tokens, .context_left = left, .stop = o.stop, .show_special = o.show_special});
}

Result<Generation> Generator::generate(std::span<const int32_t> prompt, const GenerateOptions& options) {
  if (prompt.empty()) return invalid("[run] the prompt is empty: give some text");
  if (static_cast<int64_t>(prompt.size()) > model_.runner->context())
    return error(Code::kOutOfRange, "[run] the prompt has {} tokens, the context holds {}: shorten it or raise --ctx",
                 prompt.size(), model_.runner->context());
  Answer answer = INGOT_TRY(make_answer(prompt, options));
  Generation out{.prompt_tokens = static_cast<int64_t>(prompt.size())};
  const Stopwatch watch;
  const auto logits = INGOT_TRY(prefill(prompt, out));
  out.prompt_ms = watch.elapsed_ms();
  if (logits.empty()) {
    out.finish_reason = FinishReason::kCancelled;
    return out;
  }
  INGOT_TRY(decode(logits, answer, options, out));
  out.decode_ms = watch.elapsed_ms() - out.prompt_ms;
  return out;
}

// Returns the logits after the prompt, or nothing when cancelled.
Result<std::span<const float>> Generator::prefill(std::span<const int32_t> prompt, Generation& out) {
  // The last token always runs: its logits are wanted.
  const size_t comparable = std::min(cached_.size(), prompt.size() - 1);
  const size_t same = static_cast<size_t>(
      std::mismatch(cached_.begin(), cached_.begin() + static_cast<int64_t>(comparable), prompt.begin()).first -
      cached_.begin());
  model_.runner->truncate(seq_, static_cast<int64_t>(same));
  cached_.resize(same);
  out.cached_tokens = static_cast<int64_t>(same);
  for (size_t at = same; at < prompt.size();) {
    if (cancelled_.load(std::memory_order_relaxed)) return std::span<const float>();
    const auto part = prompt.subspan(at, std::min(kPrefillChunk, prompt.size() - at));
    at += part.size();
    const Chunk chunk{seq_, part, at == prompt.size() ? 1 : 0};
    const TensorView logits = INGOT_TRY(model_.runner->step(std::span(&chunk, 1)));
    cached_.insert(cached_.end(), part.begin(), part.end());
    if (at == prompt.size()) return as_span(logits);
  }
  return error(Code::kInternal, "[run] the prompt was not run");
}

Result<void> Generator::decode(std::span<const float> logits, Answer& answer, const GenerateOptions& o,
                               Generation& out) {
  const auto take = [&](const Answer::Step& step) {
    if (step.token) {
      out.token_ids.push_back(step.token->id);
      if (step.token->logprob) out.logprobs.push_back(*step.token);
    }
    out.text += step.text;
    if (o.on_text && !step.text.empty()) o.on_text(step.text);
    if (step.finish) out.finish_reason = *step.finish;
    return step.finish.has_value();
  };
  if (o.max_tokens == 0) return take(answer.end(FinishReason::kLength)), Result<void>();
  for (size_t n = 0;; ++n) {
    if (o.on_logits) o.on_logits(logits);
    if (take(INGOT_TRY(answer.next(logits, n < o.forced.size() ? std::optional(o.forced[n]) : std::nullopt)))) break;
    if (cancelled_.load(std::memory_order_relaxed)) {
      take(answer.end(FinishReason::kCancelled));
      break;
    }
    const int32_t id = out.token_ids.back();
    const Chunk chunk{seq_, std::span(&id, 1), 1};
    logits = as_span(INGOT_TRY(model_.runner->step(std::span(&chunk, 1))));
    cached_.push_back(id);
  }
  out.stop_string = answer.stop_string();
  return {};
}

}  // namespace ingot::llm
