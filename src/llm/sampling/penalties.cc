// See penalties.h.
#include "llm/sampling/penalties.h"

#include <algorithm>

namespace ingot::llm {

Penalties::Penalties(const SamplerParams& params)
    : repeat_(params.repeat_penalty),
      frequency_(params.frequency_penalty),
      presence_(params.presence_penalty),
      last_n_(params.repeat_last_n),
      active_(last_n_ != 0 && (repeat_ != 1 || frequency_ != 0 || presence_ != 0)) {}

void Penalties::add(Token token) {
  const auto at = std::ranges::lower_bound(counts_, token, {}, &Count::token);
  if (at != counts_.end() && at->token == token) {
    ++at->count;
  } else {
    counts_.insert(at, {token, 1});
  }
}

void Penalties::remove(Token token) {
  const auto at = std::ranges::lower_bound(counts_, token, {}, &Count::token);
  if (at != counts_.end() && at->token == token && --at->count == 0) counts_.erase(at);
}

void Penalties::accept(std::span<const Token> history) {
  if (!active_ || history.empty()) return;
  add(history.back());
  const auto size = static_cast<int64_t>(history.size());
  if (last_n_ > 0 && size > last_n_) remove(history[static_cast<size_t>(size - 1 - last_n_)]);
}

float Penalties::penalized(float logit, int32_t count) const {
  logit = logit <= 0 ? logit * repeat_ : logit / repeat_;
  return logit - (static_cast<float>(count) * frequency_ + presence_);
}

void Penalties::apply(Candidates& candidates) const {
  if (!active_ || counts_.empty()) return;
  if (candidates.is_row()) {
    const std::span<float> row = candidates.edit_row();
    for (const Count& c : counts_) {
      if (static_cast<size_t>(c.token) < row.size()) {
        row[static_cast<size_t>(c.token)] = penalized(row[static_cast<size_t>(c.token)], c.count);
      }
    }
    return;
  }
  for (Candidate& c : candidates.list()) {
    const auto at = std::ranges::lower_bound(counts_, c.id, {}, &Count::token);
    if (at != counts_.end() && at->token == c.id) c.logit = penalized(c.logit, at->count);
  }
  candidates.set_sorted(false);
}

}  // namespace ingot::llm
