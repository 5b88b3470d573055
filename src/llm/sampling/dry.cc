// See dry.h.
#include "llm/sampling/dry.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "base/limits.h"

namespace ingot::llm {

void DryBreakers::add(Token first, std::vector<Token> tail) {
  if (tail.size() > limits::kDryBreakerTokensMax) tail.resize(limits::kDryBreakerTokensMax);
  entries_.push_back({first, std::move(tail)});
}

void DryBreakers::finish() {
  const auto key = [](const Entry& e) { return std::tie(e.first, e.tail); };
  std::ranges::sort(entries_, {}, key);
  const auto same = std::ranges::unique(entries_, {}, key);
  entries_.erase(same.begin(), same.end());
}

std::shared_ptr<const DryBreakers> DryBreakers::from_sequences(std::vector<std::vector<Token>> sequences) {
  auto breakers = std::make_shared<DryBreakers>();
  for (std::vector<Token>& s : sequences) {
    if (!s.empty()) breakers->add(s.front(), {s.begin() + 1, s.end()});
  }
  breakers->finish();
  return breakers;
}

// A token breaks alone if it holds the whole string; a token that ends in the string's beginning
// breaks if the tokens of the string's rest follow.
Result<std::shared_ptr<const DryBreakers>> DryBreakers::build(
    std::span<const std::string> strings, int64_t vocab_size, const std::function<std::string(Token)>& piece,
    const std::function<Result<std::vector<Token>>(std::string_view)>& tokenize) {
  auto breakers = std::make_shared<DryBreakers>();
  std::vector<std::vector<std::vector<Token>>> rests(strings.size());  // [string][bytes matched]
  for (size_t s = 0; s < strings.size(); ++s) {
    rests[s].resize(strings[s].size());
    for (size_t n = 1; n < strings[s].size(); ++n) {
      rests[s][n] = INGOT_TRY(tokenize(std::string_view(strings[s]).substr(n)));
    }
  }
  for (int64_t id = 0; id < vocab_size; ++id) {
    const auto token = static_cast<Token>(id);
    const std::string text = piece(token);
    for (size_t s = 0; s < strings.size(); ++s) {
      if (text.find(strings[s]) != std::string::npos) {
        breakers->add(token, {});
        continue;
      }
      for (size_t n = std::min(strings[s].size() - 1, text.size()); n > 0; --n) {
        if (text.ends_with(std::string_view(strings[s]).substr(0, n))) {
          breakers->add(token, rests[s][n]);
        }
      }
    }
  }
  breakers->finish();
  return breakers;
}

size_t DryBreakers::match(std::span<const Token> history, size_t i) const {
  const auto range = std::ranges::equal_range(entries_, history[i], {}, &Entry::first);
  size_t longest = 0;
  for (const Entry& e : range) {
    const std::span<const Token> after = history.subspan(i + 1);
    if (e.tail.size() > after.size() || e.tail.size() + 1 <= longest) continue;
    if (std::ranges::equal(e.tail, after.first(e.tail.size()))) longest = e.tail.size() + 1;
  }
  return longest;
}

bool DryBreakers::breaks_alone(Token token) const {
  const auto range = std::ranges::equal_range(entries_, token, {}, &Entry::first);
  return !range.empty() && range.front().tail.empty();
}

Dry::Dry(const SamplerParams& params, std::shared_ptr<const DryBreakers> breakers)
    : multiplier_(params.dry_multiplier),
      base_(params.dry_base),
      allowed_length_(params.dry_allowed_length),
      last_n_(params.dry_penalty_last_n),
      active_(multiplier_ > 0 && base_ >= 1 && last_n_ != 0),
      breakers_(std::move(breakers)) {}

// Tokens since the last breaker: a repetition cannot be longer.
size_t Dry::repetition_limit(std::span<const Token> window) const {
  for (size_t back = 0; breakers_ != nullptr && back < window.size(); ++back) {
    const size_t length = breakers_->match(window, window.size() - 1 - back);
    if (length > 0) return back - (length - 1);
  }
  return window.size();
}

// z[i]: how many tokens up to window[i] equal the last tokens of the window, read backwards.
// The token after window[i] would lengthen that repetition.
void Dry::find_repeats(std::span<const Token> window, size_t limit) {
  const auto n = static_cast<int32_t>(window.size());
  const auto back = [&](int32_t i) { return window[static_cast<size_t>(n - 1 - i)]; };
  z_.assign(window.size(), 0);
  repeats_.clear();
  int32_t left = 0, right = 0;  // back[left, right) equals back[0, right - left)
  for (int32_t k = 1; k < n; ++k) {
    int32_t length = k < right ? std::min(right - k, z_[static_cast<size_t>(k - left)]) : 0;
    while (k + length < n && back(length) == back(k + length)) ++length;
    z_[static_cast<size_t>(k)] = length;
    if (k + length > right) {
      left = k;
      right = k + length;
    }
    const int64_t repeat = std::min<int64_t>(length, static_cast<int64_t>(limit));
    if (repeat >= allowed_length_) repeats_.push_back({back(k - 1), repeat});
  }
  std::ranges::sort(repeats_, [](const Repeat& a, const Repeat& b) {
    return a.token < b.token || (a.token == b.token && a.length > b.length);
  });
  const auto same = std::ranges::unique(repeats_, {}, &Repeat::token);
  repeats_.erase(same.begin(), same.end());
}

float Dry::penalty(int64_t length) const {
  constexpr double kLogFloatMax = 88.7228391;  // a greater power would be infinite
  double exponent = static_cast<double>(length - allowed_length_);
  if (base_ > 1.000001f) {
    exponent = std::min(exponent, std::floor(kLogFloatMax / std::log(static_cast<double>(base_))));
  }
  return static_cast<float>(multiplier_ * std::pow(static_cast<double>(base_), exponent));
}

void Dry::apply(Candidates& candidates, std::span<const Token> history) {
  if (!active_) return;
  if (last_n_ > 0 && static_cast<size_t>(last_n_) < history.size()) {
    history = history.last(static_cast<size_t>(last_n_));
  }
  if (static_cast<int64_t>(history.size()) <= allowed_length_) return;
  const size_t limit = repetition_limit(history);
  if (static_cast<int64_t>(limit) < allowed_length_) return;
  find_repeats(history, limit);
  if (breakers_ != nullptr) {
    std::erase_if(repeats_, [this](const Repeat& r) { return breakers_->breaks_alone(r.token); });
  }
  if (repeats_.empty()) return;
  if (candidates.is_row()) {
    const std::span<float> row = candidates.edit_row();
    for (const Repeat& r : repeats_) {
      if (static_cast<size_t>(r.token) < row.size()) {
        row[static_cast<size_t>(r.token)] -= penalty(r.length);
      }
    }
    return;
  }
  for (Candidate& c : candidates.list()) {
    const auto at = std::ranges::lower_bound(repeats_, c.id, {}, &Repeat::token);
    if (at != repeats_.end() && at->token == c.id) c.logit -= penalty(at->length);
  }
  candidates.set_sorted(false);
}

}  // namespace ingot::llm
