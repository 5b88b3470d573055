// The chain: bias and masks on the row, the steps in their order, the draw. See sampler.h.
#include "llm/sampling/sampler.h"

#include <algorithm>
#include <limits>
#include <random>

#include "llm/sampling/dense_math.h"
#include "llm/sampling/philox.h"
#include "llm/sampling/truncation.h"

namespace ingot::llm {
namespace {

constexpr float kBarred = -std::numeric_limits<float>::infinity();

uint64_t new_seed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

void bar_outside(std::span<float> row, std::span<const uint64_t> mask) {
  for (size_t word = 0; word < mask.size(); ++word) {
    if (mask[word] == ~uint64_t{0}) continue;
    const size_t begin = word * 64, end = std::min(begin + 64, row.size());
    for (size_t t = begin; t < end; ++t) {
      if ((mask[word] >> (t - begin) & 1) == 0) row[t] = kBarred;
    }
  }
}

}  // namespace

Result<Sampler> Sampler::create(SamplerParams params, SamplerVocab vocab) {
  INGOT_TRY(validate(params));
  if (vocab.size <= 0 || vocab.size > std::numeric_limits<Token>::max()) {
    return invalid("[sampler] vocabulary size {}: give 1 to {}", vocab.size, std::numeric_limits<Token>::max());
  }
  for (const auto& [token, bias] : params.logit_bias) {
    if (token < 0 || token >= vocab.size) {
      return invalid("[sampler] 'logit_bias': token {} is not in the vocabulary (0 to {})", token, vocab.size - 1);
    }
  }
  const auto outside = [&](Token t) { return t < 0 || t >= vocab.size; };
  std::erase_if(vocab.eog, outside);
  std::erase_if(vocab.stops, outside);
  return Sampler(std::move(params), std::move(vocab));
}

Sampler::Sampler(SamplerParams params, SamplerVocab vocab)
    : params_(std::move(params)),
      vocab_(std::move(vocab)),
      seed_(params_.seed ? *params_.seed : new_seed()),
      greedy_(params_.temperature < kGreedyTemperature && params_.dynatemp_range <= 0),
      penalties_(params_),
      dry_(params_, vocab_.dry_breakers),
      mirostat_(params_) {
  const bool steps = mirostat_.version() == 0;
  remembers_ = steps && ((penalties_.active() && has_step(SamplerStep::kPenalties)) ||
                         (dry_.active() && has_step(SamplerStep::kDry)));
}

bool Sampler::has_step(SamplerStep step) const { return std::ranges::find(params_.order, step) != params_.order.end(); }

void Sampler::remember(Token token, bool of_prompt) {
  if (!remembers_ || token < 0 || token >= vocab_.size) return;
  history_.push_back(token);
  penalties_.accept(history_, of_prompt);
}

void Sampler::accept_prompt(std::span<const Token> tokens) {
  for (Token token : tokens) remember(token, true);
}

void Sampler::accept(Token token) {
  remember(token, false);
  ++step_;
  if (mirostat_.version() == 0) return;
  const std::span<const Candidate> drawn = candidates_.view();
  const auto chosen = std::ranges::find(drawn, token, &Candidate::id);
  if (chosen != drawn.end()) mirostat_.learn(chosen->p);
}

void Sampler::prepare(std::span<const float> logits, std::span<const uint64_t> mask, bool bar_eog, bool bar_stops) {
  candidates_.reset(logits);
  for (const auto& [token, bias] : params_.logit_bias) {
    candidates_.edit_row()[static_cast<size_t>(token)] += bias;
  }
  if (bar_eog) {
    for (Token token : vocab_.eog) candidates_.edit_row()[static_cast<size_t>(token)] = kBarred;
  }
  if (bar_stops) {
    for (Token token : vocab_.stops) candidates_.edit_row()[static_cast<size_t>(token)] = kBarred;
  }
  if (!mask.empty()) bar_outside(candidates_.edit_row(), mask);
}

void Sampler::run_step(SamplerStep step) {
  const auto min_keep = static_cast<size_t>(params_.min_keep);
  switch (step) {
    case SamplerStep::kPenalties: return penalties_.apply(candidates_);
    case SamplerStep::kDry: return dry_.apply(candidates_, history_);
    case SamplerStep::kTopNSigma: return top_n_sigma(candidates_, params_.top_n_sigma);
    case SamplerStep::kTopK: return top_k(candidates_, params_.top_k);
    case SamplerStep::kTypicalP: return typical_p(candidates_, params_.typical_p, min_keep);
    case SamplerStep::kTopP: return top_p(candidates_, params_.top_p, min_keep);
    case SamplerStep::kMinP: return min_p(candidates_, params_.min_p, min_keep);
    case SamplerStep::kXtc:
      if (uniform(seed_, Stream::kXtc, step_) < params_.xtc_probability) {
        xtc(candidates_, params_.xtc_threshold, min_keep);
      }
      return;
    case SamplerStep::kTemperature:
      return dynamic_temperature(candidates_, params_.temperature, params_.dynatemp_range, params_.dynatemp_exponent);
  }
}

// Greedy: only what changes the order of the logits matters.
void Sampler::pick_likeliest() {
  if (mirostat_.version() == 0) {
    for (SamplerStep step : params_.order) {
      if (step == SamplerStep::kPenalties || step == SamplerStep::kDry) run_step(step);
    }
  }
  const int64_t best = argmax(candidates_.row());
  std::vector<Candidate>& all = candidates_.only(static_cast<Token>(best));
  if (!all.empty()) all.front().p = 1;
}

void Sampler::run_steps() {
  if (greedy_) return pick_likeliest();
  if (mirostat_.version() != 0) {
    run_step(SamplerStep::kTemperature);
    return mirostat_.truncate(candidates_, vocab_.size);
  }
  for (SamplerStep step : params_.order) run_step(step);
  candidates_.softmax();
}

Token Sampler::draw() {
  const std::span<const Candidate> all = candidates_.view();
  if (all.size() == 1) return all.front().id;
  double sum = 0;
  for (const Candidate& c : all) sum += c.p;
  const double target = uniform(seed_, Stream::kDraw, step_) * sum;
  double mass = 0;
  const Candidate* last = &all.front();
  for (const Candidate& c : all) {
    if (!(c.p > 0)) continue;
    last = &c;
    mass += c.p;
    if (mass > target) break;
  }
  return last->id;
}

Result<Sampled> Sampler::sample(std::span<const float> logits, std::span<const uint64_t> allowed_mask) {
  const auto size = static_cast<size_t>(vocab_.size);
  if (logits.size() != size) {
    return invalid("[sampler] {} logits for a vocabulary of {}", logits.size(), size);
  }
  if (!allowed_mask.empty() && allowed_mask.size() < (size + 63) / 64) {
    return invalid("[sampler] mask of {} words for a vocabulary of {}; it needs {}", allowed_mask.size(), size,
                   (size + 63) / 64);
  }
  const bool too_early = step_ < static_cast<uint64_t>(params_.min_tokens);
  const bool bar_eog = params_.ignore_eos || too_early;
  prepare(logits, allowed_mask, bar_eog, too_early);
  run_steps();
  if (candidates_.view().empty() && bar_eog && !allowed_mask.empty()) {
    prepare(logits, allowed_mask, false, false);
    run_steps();
  }
  if (candidates_.view().empty()) {
    return error(Code::kFailedPrecondition,
                 "[sampler] no token can be chosen: all {} logits are NaN, -infinity, biased away "
                 "or outside the allowed mask",
                 size);
  }
  Sampled out;
  out.id = draw();
  if (params_.logprobs) {
    logprobs_.compute(logits, *params_.logprobs);
    out.logprob = logprobs_.of(logits, out.id);
    out.top = logprobs_.top();
  }
  return out;
}

}  // namespace ingot::llm
