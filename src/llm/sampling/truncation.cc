// See truncation.h.
#include "llm/sampling/truncation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "llm/sampling/dense_math.h"

namespace ingot::llm {
namespace {

constexpr float kMax = std::numeric_limits<float>::max();

// In nats, of the probabilities that softmax() has set.
double entropy(std::span<const Candidate> candidates) {
  double sum = 0;
  for (const Candidate& c : candidates) {
    if (c.p > 0) sum -= c.p * std::log(static_cast<double>(c.p));
  }
  return sum;
}

}  // namespace

void top_k(Candidates& candidates, int32_t k) {
  if (k > 0) candidates.keep_top(static_cast<size_t>(k));
}

void top_p(Candidates& candidates, float p, size_t min_keep) {
  if (p < 1) candidates.keep_mass(p, min_keep);
}

void min_p(Candidates& candidates, float p, size_t min_keep) {
  if (p <= 0) return;
  const float max = candidates.max_logit();
  candidates.keep_from(max + static_cast<float>(std::log(static_cast<double>(p))), std::max<size_t>(min_keep, 1));
}

void typical_p(Candidates& candidates, float p, size_t min_keep) {
  if (p >= 1) return;
  candidates.sort();
  candidates.softmax();
  std::vector<Candidate>& all = candidates.list();
  const double h = entropy(all);
  const auto distance = [h](const Candidate& c) {
    return std::abs(-std::log(std::max(static_cast<double>(c.p), 1e-300)) - h);
  };
  // Sorted by likelihood, the nearest to the entropy lie around one place: two fingers walk away
  // from it, and no second sort is needed.
  size_t right = 0;
  while (right < all.size() && -std::log(std::max(static_cast<double>(all[right].p), 1e-300)) < h) {
    ++right;
  }
  size_t left = right;  // [left, right) is the chosen set
  double mass = 0;
  while (right - left < all.size()) {
    const bool take_left = left > 0 && (right == all.size() || distance(all[left - 1]) <= distance(all[right]));
    mass += take_left ? all[--left].p : all[right++].p;
    if (mass > p && right - left >= min_keep) break;
  }
  all.resize(right);
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(left));
}

void top_n_sigma(Candidates& candidates, float n) {
  if (n <= 0) return;
  Moments m;
  if (candidates.is_row()) {
    m = moments(candidates.row());
  } else {
    double sum = 0;
    for (const Candidate& c : candidates.view()) sum += c.logit;
    m.count = static_cast<int64_t>(candidates.view().size());
    m.mean = sum / static_cast<double>(std::max<int64_t>(m.count, 1));
    double squares = 0;
    for (const Candidate& c : candidates.view()) squares += (c.logit - m.mean) * (c.logit - m.mean);
    m.deviation = std::sqrt(squares / static_cast<double>(std::max<int64_t>(m.count, 1)));
  }
  if (m.count <= 1 || !std::isfinite(m.deviation)) return;
  const float max = candidates.max_logit();
  candidates.keep_from(max - static_cast<float>(n * m.deviation), 1);
}

void xtc(Candidates& candidates, float threshold, size_t min_keep) {
  if (threshold > 0.5f || candidates.list().size() < 2) return;
  candidates.softmax();
  std::vector<Candidate>& all = candidates.list();
  const Candidate* least = nullptr;  // the least likely of the top choices: it stays
  size_t top_choices = 0;
  for (const Candidate& c : all) {
    if (c.p < threshold) continue;
    ++top_choices;
    if (least == nullptr || likelier(*least, c)) least = &c;
  }
  if (top_choices < 2 || all.size() - (top_choices - 1) < min_keep) return;
  const Token kept = least->id;
  std::erase_if(all, [&](const Candidate& c) { return c.p >= threshold && c.id != kept; });
}

void temperature(Candidates& candidates, float t) {
  if (t < kGreedyTemperature) return candidates.keep_top(1);
  if (t == 1) return;
  if (candidates.is_row()) {
    for (float& x : candidates.edit_row()) x /= t;
    return;
  }
  for (Candidate& c : candidates.list()) c.logit = std::clamp(c.logit / t, -kMax, kMax);
}

void dynamic_temperature(Candidates& candidates, float t, float range, float exponent) {
  if (range <= 0) return temperature(candidates, t);
  if (candidates.list().size() <= 1) return;
  candidates.softmax();
  const double entropy_max = std::log(static_cast<double>(candidates.view().size()));
  const double share = std::min(entropy(candidates.view()) / entropy_max, 1.0);
  const double low = std::max(0.0f, t - range), high = t + range;
  temperature(candidates, static_cast<float>(low + (high - low) * std::pow(share, static_cast<double>(exponent))));
}

}  // namespace ingot::llm
