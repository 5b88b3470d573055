#include "llm/engine/live_request.h"

#include <algorithm>

#include "base/limits.h"
#include "llm/sampling/logprobs.h"

namespace ingot::llm {
namespace {

// Logits rows of one step for all prompts that are scored: each is a whole vocabulary wide.
constexpr int64_t kScoredRowsMax = 32;

Result<void> check_tokens(std::span<const int32_t> tokens, std::string_view field, int64_t vocab) {
  for (int32_t t : tokens)
    if (t < 0 || t >= vocab) return invalid("[engine] '{}': token {} is not in [0, {})", field, t, vocab);
  return {};
}

Result<void> check(const Request& r, const RequestContext& c) {
  if (!r.on_event) return invalid("[engine] 'on_event' is empty: nobody would get the answer");
  if (r.prompt.empty()) return invalid("[engine] the prompt is empty: give at least one token");
  const auto prompt = static_cast<int64_t>(r.prompt.size());
  if (prompt > c.context)
    return error(Code::kOutOfRange, "[engine] the prompt has {} tokens, the context holds {}: shorten it", prompt,
                 c.context);
  if (r.n < 1 || r.n > std::min<int64_t>(limits::kChoicesMax, c.sequences_max))
    return invalid("[engine] 'n': {} is not in 1 to {}", r.n, std::min<int64_t>(limits::kChoicesMax, c.sequences_max));
  if (r.max_tokens < -1) return invalid("[engine] 'max_tokens': {} is below 0", r.max_tokens);
  if (r.prompt_logprobs && (*r.prompt_logprobs < 0 || *r.prompt_logprobs > limits::kTopLogprobsMax))
    return invalid("[engine] 'prompt_logprobs': {} is not in 0 to {}", *r.prompt_logprobs, limits::kTopLogprobsMax);
  if (r.stop_token_ids.size() > limits::kStopTokensMax)
    return invalid("[engine] 'stop_token_ids': {} are too many; give at most {}", r.stop_token_ids.size(),
                   limits::kStopTokensMax);
  if (r.tenant.size() > limits::kRequestNameBytesMax || r.cache_salt.size() > limits::kRequestNameBytesMax)
    return invalid("[engine] 'tenant' and 'cache_salt' take at most {} bytes", limits::kRequestNameBytesMax);
  INGOT_TRY(check_tokens(r.prompt, "prompt", c.vocab));
  return check_tokens(r.stop_token_ids, "stop_token_ids", c.vocab);
}

}  // namespace

Result<std::unique_ptr<LiveRequest>> LiveRequest::create(Request request, const RequestContext& c) {
  if (request.pooling != Pooling::kNone) {  // what such a request does not look at
    request.sampler = {};
    request.max_tokens = -1;
    request.n = 1;
    request.stop.clear();
    request.stop_token_ids.clear();
    request.prompt_logprobs.reset();
    request.make_mask = nullptr;
  }
  INGOT_TRY(check(request, c));
  auto live = std::make_unique<LiveRequest>();
  const auto prompt = static_cast<int64_t>(request.prompt.size());
  const AnswerOptions answer{.max_tokens = request.max_tokens >= 0 ? request.max_tokens : c.max_tokens,
                             .context_left = c.context - prompt + 1,
                             .stop = request.stop,
                             .stop_token_ids = request.stop_token_ids,
                             .include_stop = request.include_stop,
                             .show_special = request.show_special,
                             .shown_tokens = request.shown_tokens};
  const SamplerVocab vocab = INGOT_TRY(sampler_vocab(*c.tokenizer, c.vocab, request.sampler));
  live->open = request.pooling == Pooling::kNone ? request.n : 1;
  for (int i = 0; i < live->open; ++i) {
    SamplerParams params = request.sampler;
    if (params.seed) *params.seed += static_cast<uint64_t>(i);
    Sampler sampler = INGOT_TRY(Sampler::create(std::move(params), vocab));
    sampler.accept_prompt(request.prompt);
    auto choice =
        std::make_unique<Choice>(live.get(), i, INGOT_TRY(Answer::create(c.tokenizer, std::move(sampler), answer)));
    choice->root = root_page_key(request.cache_salt, c.key_seed);
    choice->priority = request.priority;
    choice->tenant = request.tenant;
    choice->deadline = request.deadline;
    live->choices.push_back(std::move(choice));
  }
  Choice& first = *live->choices.front();
  first.tokens = request.prompt;
  // What is asked about each token must be computed for each.
  first.take_cached = request.use_prefix_cache && !request.prompt_logprobs && request.pooling == Pooling::kNone;
  if (request.prompt_logprobs && prompt > 1) first.chunk_tokens_max = kScoredRowsMax;
  live->usage.prompt_tokens = prompt;
  live->request = std::move(request);
  if (live->request.prompt_logprobs) live->prompt_scores.push_back({.id = live->request.prompt.front()});
  return live;
}

void LiveRequest::score_prompt(int64_t start, int64_t count, std::span<const float> logits) {
  const size_t vocab = logits.size() / static_cast<size_t>(count);
  Logprobs logprobs;
  for (auto i = static_cast<size_t>(start); i < static_cast<size_t>(start + count) && scores_prompt(); ++i) {
    if (i + 1 != prompt_scores.size()) continue;  // scored before it was preempted
    const auto row = logits.subspan((i - static_cast<size_t>(start)) * vocab, vocab);
    logprobs.compute(row, *request.prompt_logprobs);
    const int32_t token = request.prompt[i + 1];
    prompt_scores.push_back({token, logprobs.of(row, token), {logprobs.top().begin(), logprobs.top().end()}});
  }
  if (!scores_prompt()) choices.front()->chunk_tokens_max = INT64_MAX;
}

void LiveRequest::pool(int64_t start, int64_t count, std::span<const float> hidden) {
  const size_t width = hidden.size() / static_cast<size_t>(count);
  pooled_.resize(width);
  for (int64_t i = std::max(start, num_pooled_); i < start + count; ++i) {
    const auto row = hidden.subspan(static_cast<size_t>(i - start) * width, width);
    for (size_t e = 0; e < width; ++e) pooled_[e] = row[e] + (request.pooling == Pooling::kMean ? pooled_[e] : 0);
  }
  num_pooled_ = std::max(num_pooled_, start + count);
}

Event LiveRequest::event(EngineClock::time_point now) {
  if (open == 0) {
    done_ = true;
    timings.finished = now;
  }
  for (const auto& c : choices) timings.preemptions = std::max(timings.preemptions, c->preemptions);
  return {.done = done_, .usage = usage, .timings = timings};
}

Event LiveRequest::take(Choice& choice, Answer::Step step, EngineClock::time_point now) {
  if (step.token) {
    ++usage.completion_tokens;
    if (!timings.first_token) timings.first_token = now;
    choice.last_token = now;
  }
  if (step.finish) {
    choice.open = false;
    --open;
  }
  Event e = event(now);
  e.choice = choice.index;
  e.text = std::move(step.text);
  if (step.token) e.tokens.push_back(std::move(*step.token));
  e.finish = step.finish;
  if (step.finish) {
    e.stop_string = choice.answer.stop_string();
    e.stop_token = choice.answer.stop_token();
  }
  if (request.prompt_logprobs) e.prompt_logprobs = std::exchange(prompt_scores, {});
  request.prompt_logprobs.reset();
  return e;
}

Event LiveRequest::take_embedding(EngineClock::time_point now) {
  open = 0;
  Event e = event(now);
  const double scale = request.pooling == Pooling::kMean ? 1.0 / static_cast<double>(num_pooled_) : 1.0;
  for (double v : pooled_) e.embedding.push_back(static_cast<float>(v * scale));
  return e;
}

Event LiveRequest::fail(Status status, EngineClock::time_point now) {
  open = 0;
  Event e = event(now);
  e.error = std::move(status);
  return e;
}

}  // namespace ingot::llm
