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

std::string_view finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEndOfGeneration:
    case FinishReason::kStopString: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kContextFull: return "context_full";
    case FinishReason::kCancelled: return "cancelled";
  }
  return "";
}

Generator::Generator(LoadedModel& model) : model_(model), seq_(model.runner->add_sequence()) {}
Generator::~Generator() { model_.runner->remove_sequence(seq_); }

Result<Sampler> Generator::make_sampler(std::span<const int32_t> prompt, const GenerateOptions& options) {
  const Tokenizer& tokenizer = *model_.tokenizer;
  SamplerVocab vocab{.size = model_.runner->vocab()};
  for (int id : tokenizer.special().end_of_generation)
    if (id < vocab.size) vocab.eog.push_back(id);
  if (options.sampler.dry_multiplier > 0) {
    if (!breakers_ || breaker_strings_ != options.sampler.dry_sequence_breakers) {
      breaker_strings_ = options.sampler.dry_sequence_breakers;
      breakers_ = INGOT_TRY(DryBreakers::build(
          breaker_strings_, std::min<int64_t>(vocab.size, tokenizer.vocab_size()),
          [&](Token t) { return tokenizer.token_bytes(t); },
          [&](std::string_view text) { return tokenizer.encode(text, false); }));
    }
    vocab.dry_breakers = breakers_;
  }
  Sampler sampler = INGOT_TRY(Sampler::create(options.sampler, std::move(vocab)));
  sampler.accept_prompt(prompt);
  return sampler;
}

Result<Generation> Generator::generate(std::span<const int32_t> prompt, const GenerateOptions& options) {
  if (prompt.empty()) return invalid("[run] the prompt is empty: give some text");
  if (static_cast<int64_t>(prompt.size()) > model_.runner->context())
    return error(Code::kOutOfRange, "[run] the prompt has {} tokens, the context holds {}: shorten it or raise --ctx",
                 prompt.size(), model_.runner->context());
  Sampler sampler = INGOT_TRY(make_sampler(prompt, options));
  Generation out{.prompt_tokens = static_cast<int64_t>(prompt.size())};
  const Stopwatch watch;
  const auto logits = INGOT_TRY(prefill(prompt, out));
  out.prompt_ms = watch.elapsed_ms();
  if (logits.empty()) {
    out.finish_reason = FinishReason::kCancelled;
    return out;
  }
  INGOT_TRY(decode(logits, sampler, options, out));
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

Result<void> Generator::decode(std::span<const float> logits, Sampler& sampler, const GenerateOptions& o,
                               Generation& out) {
  StreamingDetokenizer detokenizer(model_.tokenizer, !o.show_special);
  StopMatcher stops = INGOT_TRY(StopMatcher::create(o.stop));
  const auto emit = [&](std::string_view text) {
    out.text += text;
    if (o.on_text && !text.empty()) o.on_text(text);
  };
  for (int64_t n = 0;; ++n) {
    if (o.max_tokens >= 0 && n >= o.max_tokens) {
      out.finish_reason = FinishReason::kLength;
      break;
    }
    if (o.on_logits) o.on_logits(logits);
    const Sampled sampled = INGOT_TRY(sampler.sample(logits));
    const int32_t id = static_cast<size_t>(n) < o.forced.size() ? o.forced[static_cast<size_t>(n)] : sampled.id;
    sampler.accept(id);
    if (model_.tokenizer->is_end_of_generation(id) && static_cast<size_t>(n) >= o.forced.size()) {
      out.finish_reason = FinishReason::kEndOfGeneration;
      break;
    }
    out.token_ids.push_back(id);
    if (sampled.logprob && id == sampled.id)
      out.logprobs.push_back({id, *sampled.logprob, {sampled.top.begin(), sampled.top.end()}});
    const auto matched = stops.push(detokenizer.push(id));
    emit(matched.emit);
    if (matched.stopped) {
      out.finish_reason = FinishReason::kStopString;
      out.stop_string = matched.matched;
      return {};
    }
    if (cancelled_.load(std::memory_order_relaxed)) {
      out.finish_reason = FinishReason::kCancelled;
      break;
    }
    if (model_.runner->length(seq_) >= model_.runner->context()) {
      out.finish_reason = FinishReason::kContextFull;
      break;
    }
    if (o.max_tokens >= 0 && n + 1 >= o.max_tokens) continue;  // nobody wants its logits
    const Chunk chunk{seq_, std::span(&id, 1), 1};
    logits = as_span(INGOT_TRY(model_.runner->step(std::span(&chunk, 1))));
    cached_.push_back(id);
  }
  const auto matched = stops.push(detokenizer.finish());
  emit(matched.emit);
  if (matched.stopped) {
    out.finish_reason = FinishReason::kStopString;
    out.stop_string = matched.matched;
    return {};
  }
  emit(stops.flush().emit);
  return {};
}

}  // namespace ingot::llm
