#include "cli/sampler_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/limits.h"
#include "cli/option_checks.h"
#include "formats/printable.h"

namespace ingot::cli {
namespace {

struct Bias {
  std::string token;
  float bias = 0;
};

// "1234=-5", " hello=2" or "1234=-inf".
Result<Bias> split_bias(const std::string& text) {
  const size_t equals = text.rfind('=');
  Bias b{.token = text.substr(0, equals)};
  const std::string value = equals == text.npos ? "" : text.substr(equals + 1);
  const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), b.bias);
  if (b.token.empty() || ec != std::errc() || end != value.data() + value.size() || std::isnan(b.bias) ||
      b.bias == std::numeric_limits<float>::infinity())
    return invalid("[cli] --logit-bias '{}' is not TOKEN=BIAS with a finite number or -inf", printable(text));
  return b;
}

// A token by id, or by a text that is one token.
Result<std::pair<llm::Token, float>> parse_bias(const std::string& text, const Tokenizer& tokenizer) {
  const auto [name, bias] = INGOT_TRY(split_bias(text));
  int id = 0;
  const auto [id_end, id_ec] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (id_end != name.data() + name.size()) {
    const auto ids = INGOT_TRY(tokenizer.encode(name, false));
    if (ids.size() != 1)
      return invalid("[cli] --logit-bias '{}': '{}' is {} tokens, not one", printable(text), printable(name),
                     ids.size());
    id = ids[0];
  } else if (id_ec != std::errc() || id < 0 || id >= tokenizer.vocab_size()) {
    return invalid("[cli] --logit-bias '{}': {} is not a token id; the model's are 0 to {}", printable(text), name,
                   tokenizer.vocab_size() - 1);
  }
  return std::pair{id, bias};
}

template <class T>
CLI::Validator fits() {
  if constexpr (std::is_floating_point_v<T>)
    return number_in(std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max());
  else
    return integer_in(std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
}

// "[sampler] 'top_p': 7 is …" -> "--top-p: 7 is …"
std::string about_option(std::string_view message) {
  const size_t begin = message.find('\'') + 1, end = message.find('\'', begin);
  if (begin == 0 || end == message.npos) return std::string(message);
  std::string name(message.substr(begin, end - begin));
  std::ranges::replace(name, '_', '-');
  if (name == "dry-sequence-breakers") name.pop_back();
  return fmt::format("--{}{}", name, message.substr(end + 1));
}

}  // namespace

void add_sampler_options(CLI::App& c, SamplerOptions& o) {
  llm::SamplerParams& p = o.params;
  const std::string group = "Sampling";
  const auto add = [&](const char* flags, auto& value, const char* help) {
    c.add_option(flags, value, help)
        ->group(group)
        ->capture_default_str()
        ->check(fits<std::remove_reference_t<decltype(value)>>());
  };
  add("--temperature,--temp", p.temperature, "0: always the likeliest token");
  add("--dynatemp-range", p.dynatemp_range, "Dynamic temperature: temperature plus or minus this, by entropy");
  add("--dynatemp-exponent", p.dynatemp_exponent, "Dynamic temperature: exponent of the entropy");
  add("--top-k", p.top_k, "Keep the k likeliest; 0: off");
  add("--top-p", p.top_p, "Keep the likeliest that sum to p; 1: off");
  add("--min-p", p.min_p, "Keep what has at least p times the best probability; 0: off");
  add("--typical-p", p.typical_p, "Locally typical sampling; 1: off");
  add("--top-n-sigma", p.top_n_sigma, "Keep logits within n deviations of the best; <= 0: off");
  add("--xtc-probability", p.xtc_probability, "Exclude top choices with this probability; 0: off");
  add("--xtc-threshold", p.xtc_threshold, "XTC: what counts as a top choice");
  add("--min-keep", p.min_keep, "Filters leave at least this many tokens");
  add("--mirostat", p.mirostat, "0: off, 1 or 2: keep the surprise at tau");
  add("--mirostat-tau", p.mirostat_tau, "Mirostat: wanted surprise in bits");
  add("--mirostat-eta", p.mirostat_eta, "Mirostat: learning rate");
  add("--repeat-last-n", p.repeat_last_n, "Tokens the penalties look at; 0: none, -1: all");
  add("--repeat-penalty", p.repeat_penalty, "1: off");
  add("--frequency-penalty", p.frequency_penalty, "0: off");
  add("--presence-penalty", p.presence_penalty, "0: off");
  add("--dry-multiplier", p.dry_multiplier, "DRY penalty on repeated sequences; 0: off");
  add("--dry-base", p.dry_base, "DRY: base");
  add("--dry-allowed-length", p.dry_allowed_length, "DRY: repetitions up to this long are free");
  add("--dry-penalty-last-n", p.dry_penalty_last_n, "DRY: tokens looked at; -1: all");
  c.add_option("--dry-sequence-breaker", p.dry_sequence_breakers, "DRY: strings that end a repetition (repeatable)")
      ->allow_extra_args(false)
      ->group(group);
  c.add_option("--samplers", o.order, "Order of the steps, as in \"penalties;dry;top_k;temperature\"")
      ->group(group)
      ->check([](const std::string& order) {
        const auto steps = llm::parse_sampler_order(order);
        if (steps && steps->empty()) return fmt::format("'{}' names no step", printable(order));
        return steps ? std::string() : steps.error().message().substr(steps.error().message().find(": ") + 2);
      });
  c.add_option("--logit-bias", o.logit_bias, "TOKEN=BIAS, an id or a text of one token (repeatable); -inf bars it")
      ->allow_extra_args(false)
      ->group(group)
      ->check([](const std::string& text) {
        return split_bias(text) ? std::string()
                                : fmt::format("'{}' is not TOKEN=BIAS with a finite number or -inf", printable(text));
      });
  c.add_option("--seed", o.seed, "Same seed, same tokens; -1: a new one each time")
      ->group(group)
      ->check(integer_in(-1))
      ->capture_default_str();
  c.add_option("--logprobs", o.logprobs, "With --json: log-probabilities of the n likeliest tokens")
      ->group(group)
      ->check(integer_in(0, limits::kTopLogprobsMax));
  c.add_flag("--ignore-eos", p.ignore_eos, "Never end the answer before --max-tokens")->group(group);
  add("--min-tokens", p.min_tokens, "Do not end the answer before this many tokens");
}

void check_sampler_options(const SamplerOptions& o) {
  if (auto ok = llm::validate(o.params); !ok) throw CLI::ValidationError(about_option(ok.error().message()));
}

Result<llm::SamplerParams> sampler_params(const SamplerOptions& o, const Tokenizer& tokenizer) {
  llm::SamplerParams p = o.params;
  if (!o.order.empty()) p.order = INGOT_TRY(llm::parse_sampler_order(o.order));
  if (o.seed >= 0) p.seed = static_cast<uint64_t>(o.seed);
  if (o.logprobs >= 0) p.logprobs = o.logprobs;
  for (const std::string& text : o.logit_bias) p.logit_bias.push_back(INGOT_TRY(parse_bias(text, tokenizer)));
  INGOT_TRY(llm::validate(p));
  return p;
}

}  // namespace ingot::cli
