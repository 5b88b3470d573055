// See mirostat.h.
#include "llm/sampling/mirostat.h"

#include <algorithm>
#include <cmath>

namespace ingot::llm {

Mirostat::Mirostat(const SamplerParams& params)
    : version_(params.mirostat), tau_(params.mirostat_tau), eta_(params.mirostat_eta), mu_(2 * params.mirostat_tau) {}

// Version 1: the exponent s of Zipf's law is fitted on the likeliest 100, and gives the k whose
// expected surprise is mu:   k = ((s - 1) 2^mu / (1 - V^(1 - s)))^(1 / s).
void Mirostat::truncate_by_zipf(Candidates& candidates, int64_t vocab_size) const {
  constexpr size_t kFitted = 100;
  candidates.sort();
  candidates.softmax();
  const std::span<const Candidate> all = candidates.view();
  double tb = 0, tt = 0;
  for (size_t i = 0; i + 1 < std::min(kFitted, all.size()); ++i) {
    if (!(all[i + 1].p > 0)) break;
    const double t = std::log(static_cast<double>(i + 2) / static_cast<double>(i + 1));
    const double b = std::log(static_cast<double>(all[i].p) / all[i + 1].p);
    tb += t * b;
    tt += t * t;
  }
  const double s = tt > 0 ? tb / tt : 1;
  const double epsilon = s - 1;
  const double power =
      epsilon * std::exp2(static_cast<double>(mu_)) / (1 - std::pow(static_cast<double>(vocab_size), -epsilon));
  const double k = std::pow(power, 1 / s);
  // Not a number where the fit has no meaning (all equally likely): nothing is cut.
  const auto size = static_cast<double>(all.size());
  candidates.keep_top(std::isnan(k) ? all.size() : static_cast<size_t>(std::clamp(k, 1.0, size)));
}

void Mirostat::truncate(Candidates& candidates, int64_t vocab_size) const {
  if (candidates.list().empty()) return;
  if (version_ == 1) {
    truncate_by_zipf(candidates, vocab_size);
  } else {
    candidates.softmax();
    const float best = candidates.max_logit();
    std::erase_if(candidates.list(), [&](const Candidate& c) { return c.logit < best && !(-std::log2(c.p) <= mu_); });
    // Even the likeliest surprises more than mu: only that one stays.
    const std::span<const Candidate> left = candidates.view();
    if (left.size() > 1 && !(-std::log2(std::ranges::max_element(left, {}, &Candidate::p)->p) <= mu_)) {
      candidates.keep_top(1);
    }
  }
  candidates.softmax();
}

void Mirostat::learn(float p) {
  if (p > 0) mu_ -= eta_ * (-std::log2(p) - tau_);
}

}  // namespace ingot::llm
