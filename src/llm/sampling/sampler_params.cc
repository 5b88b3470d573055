// The ranges of every sampling field, and the names of the steps. See sampler_params.h.
#include "llm/sampling/sampler_params.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/limits.h"

namespace ingot::llm {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr int32_t kIntMax = std::numeric_limits<int32_t>::max();

struct StepName {
  SamplerStep step;
  std::string_view name;
};
constexpr StepName kStepNames[] = {
    {SamplerStep::kPenalties, "penalties"},
    {SamplerStep::kDry, "dry"},
    {SamplerStep::kTopNSigma, "top_n_sigma"},
    {SamplerStep::kTopK, "top_k"},
    {SamplerStep::kTypicalP, "typ_p"},
    {SamplerStep::kTopP, "top_p"},
    {SamplerStep::kMinP, "min_p"},
    {SamplerStep::kXtc, "xtc"},
    {SamplerStep::kTemperature, "temperature"},
};

Result<void> in_range(std::string_view name, float value, float low, float high) {
  if (value >= low && value <= high) return {};
  if (high == kInf || high == std::numeric_limits<float>::max()) {
    return invalid("[sampler] '{}': {} is out of range; give a number of at least {}", name, value, low);
  }
  return invalid("[sampler] '{}': {} is out of range; give a number from {} to {}", name, value, low, high);
}

Result<void> int_in_range(std::string_view name, int32_t value, int32_t low, int32_t high) {
  if (value >= low && value <= high) return {};
  if (high == kIntMax) {
    return invalid("[sampler] '{}': {} is out of range; give an integer of at least {}", name, value, low);
  }
  return invalid("[sampler] '{}': {} is out of range; give an integer from {} to {}", name, value, low, high);
}

Result<void> validate_lists(const SamplerParams& p) {
  if (p.dry_sequence_breakers.size() > limits::kDryBreakersMax) {
    return invalid("[sampler] 'dry_sequence_breakers': {} strings are too many; give at most {}",
                   p.dry_sequence_breakers.size(), limits::kDryBreakersMax);
  }
  for (const std::string& s : p.dry_sequence_breakers) {
    if (s.empty() || s.size() > limits::kDryBreakerBytesMax) {
      return invalid("[sampler] 'dry_sequence_breakers': a string of {} bytes; give 1 to {} bytes", s.size(),
                     limits::kDryBreakerBytesMax);
    }
  }
  if (p.logit_bias.size() > limits::kLogitBiasMax) {
    return invalid("[sampler] 'logit_bias': {} entries are too many; give at most {}", p.logit_bias.size(),
                   limits::kLogitBiasMax);
  }
  for (const auto& [token, bias] : p.logit_bias) {
    if (std::isnan(bias) || bias == kInf) {
      return invalid("[sampler] 'logit_bias': token {} has {}; give a finite number or -infinity", token, bias);
    }
  }
  for (size_t i = 0; i < p.order.size(); ++i) {
    if (std::find(p.order.begin(), p.order.begin() + i, p.order[i]) != p.order.begin() + i) {
      return invalid("[sampler] 'samplers': '{}' stands twice; name each step once", sampler_order_text({p.order[i]}));
    }
  }
  return {};
}

}  // namespace

Result<void> validate(const SamplerParams& p) {
  constexpr float kMax = std::numeric_limits<float>::max();
  INGOT_TRY(in_range("temperature", p.temperature, 0, 1000));
  INGOT_TRY(in_range("dynatemp_range", p.dynatemp_range, 0, 1000));
  INGOT_TRY(in_range("dynatemp_exponent", p.dynatemp_exponent, 0, 1000));
  INGOT_TRY(int_in_range("top_k", p.top_k, -1, kIntMax));
  INGOT_TRY(in_range("top_p", p.top_p, 0, 1));
  INGOT_TRY(in_range("min_p", p.min_p, 0, 1));
  INGOT_TRY(in_range("typical_p", p.typical_p, 0, 1));
  INGOT_TRY(in_range("top_n_sigma", p.top_n_sigma, -kMax, kMax));
  INGOT_TRY(in_range("xtc_probability", p.xtc_probability, 0, 1));
  INGOT_TRY(in_range("xtc_threshold", p.xtc_threshold, 0, 1));
  INGOT_TRY(int_in_range("min_keep", p.min_keep, 0, kIntMax));
  INGOT_TRY(int_in_range("mirostat", p.mirostat, 0, 2));
  INGOT_TRY(in_range("mirostat_tau", p.mirostat_tau, 0, 1000));
  INGOT_TRY(in_range("mirostat_eta", p.mirostat_eta, 0, 1000));
  INGOT_TRY(int_in_range("repeat_last_n", p.repeat_last_n, -1, kIntMax));
  if (!(p.repeat_penalty > 0)) {
    return invalid("[sampler] 'repeat_penalty': {} is out of range; give a number above 0 (1: off)", p.repeat_penalty);
  }
  INGOT_TRY(in_range("repeat_penalty", p.repeat_penalty, 0, 1000));
  INGOT_TRY(in_range("frequency_penalty", p.frequency_penalty, -1000, 1000));
  INGOT_TRY(in_range("presence_penalty", p.presence_penalty, -1000, 1000));
  INGOT_TRY(in_range("dry_multiplier", p.dry_multiplier, 0, kMax));
  INGOT_TRY(in_range("dry_base", p.dry_base, 0, kMax));
  INGOT_TRY(int_in_range("dry_allowed_length", p.dry_allowed_length, 0, kIntMax));
  INGOT_TRY(int_in_range("dry_penalty_last_n", p.dry_penalty_last_n, -1, kIntMax));
  INGOT_TRY(int_in_range("min_tokens", p.min_tokens, 0, kIntMax));
  if (p.logprobs) INGOT_TRY(int_in_range("logprobs", *p.logprobs, 0, limits::kTopLogprobsMax));
  return validate_lists(p);
}

Result<std::vector<SamplerStep>> parse_sampler_order(std::string_view text) {
  std::vector<SamplerStep> order;
  while (!text.empty()) {
    const size_t end = std::min(text.find(';'), text.size());
    std::string name(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (name.empty()) continue;
    std::replace(name.begin(), name.end(), '-', '_');
    if (name == "typical_p") name = "typ_p";
    if (name == "temp") name = "temperature";
    const auto* found = std::ranges::find(kStepNames, std::string_view(name), &StepName::name);
    if (found == std::end(kStepNames)) {
      std::vector<SamplerStep> all;
      for (const StepName& s : kStepNames) all.push_back(s.step);
      return invalid("[sampler] 'samplers': no step '{}'; choose from {}", name.substr(0, 64), sampler_order_text(all));
    }
    if (std::ranges::find(order, found->step) != order.end()) {
      return invalid("[sampler] 'samplers': '{}' stands twice; name each step once", name);
    }
    order.push_back(found->step);
  }
  return order;
}

std::string sampler_order_text(const std::vector<SamplerStep>& order) {
  std::string text;
  for (SamplerStep step : order) {
    if (!text.empty()) text += ';';
    text += std::ranges::find(kStepNames, step, &StepName::step)->name;
  }
  return text;
}

}  // namespace ingot::llm
