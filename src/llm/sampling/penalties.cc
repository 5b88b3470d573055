// See penalties.h.
#include "llm/sampling/penalties.h"

#include <algorithm>

namespace ingot::llm {

Penalties::Penalties(const SamplerParams& params)
    : repeat_(params.repeat_penalty),
      frequency_(params.frequency_penalty),
      presence_(params.presence_penalty),
      last_n_(params.repeat_last_n),
      active_(last_n_ != 0 && (repeat_ != 1 || frequency_ != 0 || presence_ != 0)),
      prompt_counts_(params.prompt_counts) {}

void Penalties::add(Token token, bool said) {
  auto at = std::ranges::lower_bound(counts_, token, {}, &Count::token);
  if (at == counts_.end() || at->token != token) at = counts_.insert(at, {token, 0, 0});
  ++at->count;
  at->said += said;
}

void Penalties::remove(Token token, bool said) {
  const auto at = std::ranges::lower_bound(counts_, token, {}, &Count::token);
  if (at == counts_.end() || at->token != token) return;
  at->said -= said;
  if (--at->count == 0) counts_.erase(at);
}

void Penalties::accept(std::span<const Token> history, bool of_prompt) {
  if (!active_ || history.empty()) return;
  prompt_tokens_ += of_prompt;
  add(history.back(), !of_prompt || prompt_counts_);
  const auto size = static_cast<int64_t>(history.size());
  if (last_n_ <= 0 || size <= last_n_) return;
  const auto left = static_cast<size_t>(size - 1 - last_n_);
  remove(history[left], left >= prompt_tokens_ || prompt_counts_);
}

float Penalties::penalized(float logit, const Count& c) const {
  logit = logit <= 0 ? logit * repeat_ : logit / repeat_;
  return c.said > 0 ? logit - (static_cast<float>(c.said) * frequency_ + presence_) : logit;
}

void Penalties::apply(Candidates& candidates) const {
  if (!active_ || counts_.empty()) return;
  if (candidates.is_row()) {
    const std::span<float> row = candidates.edit_row();
    for (const Count& c : counts_) {
      if (static_cast<size_t>(c.token) < row.size()) {
        row[static_cast<size_t>(c.token)] = penalized(row[static_cast<size_t>(c.token)], c);
      }
    }
    return;
  }
  for (Candidate& c : candidates.list()) {
    const auto at = std::ranges::lower_bound(counts_, c.id, {}, &Count::token);
    if (at != counts_.end() && at->token == c.id) c.logit = penalized(c.logit, *at);
  }
  candidates.set_sorted(false);
}

}  // namespace ingot::llm
