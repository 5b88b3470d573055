// generation_request.h: how tokens are chosen and when an answer ends.
//
// Absent fields mean what OpenAI says: temperature 1 and no truncation, not the sampler's own defaults.
#include <charconv>
#include <cmath>

#include "base/limits.h"
#include "server/openai/generation_request.h"

namespace ingot::openai {
namespace {

constexpr double kHuge = 1e9;
constexpr int64_t kInt32Max = std::numeric_limits<int32_t>::max();

void read_truncation(Fields& f, llm::SamplerParams& p) {
  p.temperature = static_cast<float>(f.number("temperature", 1.0, 0.0, 100.0));
  p.top_p = static_cast<float>(f.number("top_p", 1.0, 0.0, 1.0));
  p.top_k = static_cast<int32_t>(f.integer("top_k", 0, -1, kInt32Max));
  p.min_p = static_cast<float>(f.number("min_p", 0.0, 0.0, 1.0));
  p.typical_p = static_cast<float>(f.number("typical_p", 1.0, 0.0, 1.0));
  p.top_n_sigma = static_cast<float>(f.number("top_n_sigma", -1.0, -kHuge, kHuge));
  p.xtc_probability = static_cast<float>(f.number("xtc_probability", 0.0, 0.0, 1.0));
  p.xtc_threshold = static_cast<float>(f.number("xtc_threshold", 0.1, 0.0, 1.0));
  p.min_keep = static_cast<int32_t>(f.integer("min_keep", 0, 0, kInt32Max));
  p.dynatemp_range = static_cast<float>(f.number("dynatemp_range", 0.0, 0.0, kHuge));
  p.dynatemp_exponent = static_cast<float>(f.number("dynatemp_exponent", 1.0, 0.0, kHuge));
  p.mirostat = static_cast<int32_t>(f.integer("mirostat", 0, 0, 2));
  p.mirostat_tau = static_cast<float>(f.number("mirostat_tau", 5.0, 0.0, kHuge));
  p.mirostat_eta = static_cast<float>(f.number("mirostat_eta", 0.1, 0.0, kHuge));
  if (f.has("top_p") && p.top_p == 0.0f) f.fail("top_p", "0 is out of range: above 0, at most 1");
}

void read_penalties(Fields& f, llm::SamplerParams& p) {
  p.presence_penalty = static_cast<float>(f.number("presence_penalty", 0.0, -2.0, 2.0));
  p.frequency_penalty = static_cast<float>(f.number("frequency_penalty", 0.0, -2.0, 2.0));
  p.repeat_penalty = static_cast<float>(f.number("repeat_penalty", 1.0, 1e-3, 1e3));
  p.repeat_penalty = static_cast<float>(f.number("repetition_penalty", p.repeat_penalty, 1e-3, 1e3));
  // As OpenAI and vLLM have it: presence and frequency look at the answer alone, repetition at the prompt, too; all of
  // it, unless a window is asked for.
  p.prompt_counts = false;
  p.repeat_last_n = static_cast<int32_t>(f.integer("repeat_last_n", -1, -1, kInt32Max));
  p.dry_multiplier = static_cast<float>(f.number("dry_multiplier", 0.0, 0.0, kHuge));
  p.dry_base = static_cast<float>(f.number("dry_base", 1.75, 0.0, kHuge));
  p.dry_allowed_length = static_cast<int32_t>(f.integer("dry_allowed_length", 2, 0, kInt32Max));
  p.dry_penalty_last_n = static_cast<int32_t>(f.integer("dry_penalty_last_n", -1, -1, kInt32Max));
  if (f.has("dry_sequence_breakers"))
    p.dry_sequence_breakers = f.strings("dry_sequence_breakers", limits::kDryBreakersMax);
}

// {"TOKEN ID": bias}
void read_logit_bias(Fields& f, llm::SamplerParams& p) {
  const json::object* biases = f.object("logit_bias");
  if (!biases) return;
  if (biases->size() > limits::kLogitBiasMax) f.fail("logit_bias", "has {} entries", biases->size());
  for (const auto& [key, value] : *biases) {
    const std::string_view name(key.data(), key.size());
    int32_t id = -1;
    const auto [end, ec] = std::from_chars(name.data(), name.data() + name.size(), id);
    if (ec != std::errc() || end != name.data() + name.size() || id < 0) {
      f.fail("logit_bias", "key '{}' is not a token id", name.substr(0, 40));
      return;
    }
    const double bias = value.is_number() ? value.to_number<double>() : NAN;
    if (!(bias >= -100 && bias <= 100)) {
      f.fail("logit_bias", "the bias of token {} must be a number from -100 to 100", id);
      return;
    }
    p.logit_bias.emplace_back(id, static_cast<float>(bias));
  }
}

void read_ends(Fields& f, GenerationRequest& r) {
  r.engine.stop = f.strings("stop", limits::kStopStringsMax);
  std::erase(r.engine.stop, std::string());
  for (const std::string& stop : r.engine.stop)
    if (stop.size() > limits::kStopBytesMax) f.fail("stop", "a string is longer than {} bytes", limits::kStopBytesMax);
  r.engine.stop_token_ids = f.token_ids("stop_token_ids", limits::kStopStringsMax);
  r.engine.include_stop = f.boolean("include_stop_str_in_output", false);
  r.engine.show_special = !f.boolean("skip_special_tokens", true);
  r.engine.sampler.ignore_eos = f.boolean("ignore_eos", false);
  r.engine.sampler.min_tokens = static_cast<int32_t>(f.integer("min_tokens", 0, 0, kInt32Max));
}

}  // namespace

void read_sampling(Fields& f, GenerationRequest& r) {
  llm::SamplerParams& p = r.engine.sampler;
  read_truncation(f, p);
  read_penalties(f, p);
  read_logit_bias(f, p);
  read_ends(f, r);
  if (f.has("seed")) p.seed = static_cast<uint64_t>(f.integer("seed", 0));
  if (f.has("samplers")) {
    if (auto order = llm::parse_sampler_order(f.string("samplers")))
      p.order = std::move(*order);
    else
      f.fail("samplers", "{}", order.error().message());
  }
  r.engine.n = static_cast<int>(f.integer("n", 1, 1, kChoicesMax));
  r.bad_words = f.strings("bad_words", limits::kStopStringsMax);
  r.allowed_token_ids = f.token_ids("allowed_token_ids", limits::kLogitBiasMax);
  if (f.has("allowed_token_ids") && r.allowed_token_ids.empty()) f.fail("allowed_token_ids", "is empty");
  if (f.has("prompt_logprobs"))
    r.engine.prompt_logprobs = static_cast<int32_t>(f.integer("prompt_logprobs", 0, 0, kTopLogprobsMax));
}

}  // namespace ingot::openai
