#include "models/config.h"

#include <algorithm>
#include <cmath>

namespace ingot {
namespace {

constexpr int64_t kSizeMax = int64_t{1} << 31;

std::vector<std::string_view> alternatives(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const size_t bar = std::min(text.find('|'), text.size());
    out.push_back(text.substr(0, bar));
    text.remove_prefix(std::min(bar + 1, text.size()));
  }
  return out;
}

Result<void> check(bool ok, std::string_view what, double value) {
  if (ok) return {};
  return invalid("[model] '{}' is {}: this cannot be; convert or download the model again", what, value);
}

Result<void> read_yarn_and_friends(const Hyperparameters& h, RopeConfig& rope, double context) {
  rope.scaling = INGOT_TRY(
      h.string_or({"rope.scaling.type", "rope_scaling.rope_type|rope_scaling.type|rope_parameters.rope_type"}, "none"));
  if (rope.scaling == "default" || rope.scaling.empty()) rope.scaling = "none";
  if (rope.scaling == "su") rope.scaling = "longrope";
  rope.factor = INGOT_TRY(h.number_or({"rope.scaling.factor", "rope_scaling.factor|rope_parameters.factor"}, 1));
  rope.original_context = INGOT_TRY(h.number_or({"rope.scaling.original_context_length",
                                                 "rope_scaling.original_max_position_embeddings|rope_parameters."
                                                 "original_max_position_embeddings|original_max_position_embeddings"},
                                                context));
  if (rope.scaling == "longrope" && rope.factor == 1) rope.factor = context / rope.original_context;
  rope.attention_factor = INGOT_TRY(
      h.number_or({"rope.scaling.attn_factor", "rope_scaling.attention_factor|rope_parameters.attention_factor"}, 0));
  rope.beta_fast =
      INGOT_TRY(h.number_or({"rope.scaling.yarn_beta_fast", "rope_scaling.beta_fast|rope_parameters.beta_fast"}, 32));
  rope.beta_slow =
      INGOT_TRY(h.number_or({"rope.scaling.yarn_beta_slow", "rope_scaling.beta_slow|rope_parameters.beta_slow"}, 1));
  rope.low_freq_factor =
      INGOT_TRY(h.number_or({"", "rope_scaling.low_freq_factor|rope_parameters.low_freq_factor"}, 1));
  rope.high_freq_factor =
      INGOT_TRY(h.number_or({"", "rope_scaling.high_freq_factor|rope_parameters.high_freq_factor"}, 4));
  rope.long_factors = h.floats({"", "rope_scaling.long_factor|rope_parameters.long_factor"});
  rope.short_factors = h.floats({"", "rope_scaling.short_factor|rope_parameters.short_factor"});
  static constexpr std::string_view kKnown[] = {"none", "linear", "yarn", "llama3", "longrope"};
  if (std::ranges::find(kKnown, rope.scaling) == std::end(kKnown))
    return unimplemented("[model] rope scaling '{}' is not one of none, linear, yarn, llama3, longrope", rope.scaling);
  INGOT_TRY(check(rope.factor > 0 && std::isfinite(rope.factor), "rope.scaling.factor", rope.factor));
  if (rope.scaling == "llama3")
    INGOT_TRY(check(rope.high_freq_factor > rope.low_freq_factor && rope.low_freq_factor > 0,
                    "rope_scaling.high_freq_factor", rope.high_freq_factor));
  for (const auto* factors : {&rope.long_factors, &rope.short_factors})
    if (!factors->empty())
      INGOT_TRY(check(static_cast<int64_t>(factors->size()) == rope.rotary_dim / 2,
                      "the number of long_factor or short_factor elements", static_cast<double>(factors->size())));
  return check(rope.original_context >= 1, "original_context_length", rope.original_context);
}

}  // namespace

Hyperparameters::Hyperparameters(const Source& source, std::string architecture)
    : source_(source), architecture_(std::move(architecture)) {}

std::vector<std::string> Hyperparameters::spellings(HyperKey key) const {
  std::vector<std::string> out;
  if (source_.kind() == SourceKind::kGguf) {
    for (std::string_view k : alternatives(key.gguf)) out.push_back(fmt::format("{}.{}", architecture_, k));
  } else {
    for (std::string_view k : alternatives(key.hf)) {
      out.push_back(fmt::format("config.text_config.{}", k));
      out.push_back(fmt::format("config.{}", k));
    }
  }
  return out;
}

std::string Hyperparameters::name(HyperKey key) const {
  const auto names = spellings(key);
  for (const std::string& k : names)
    if (source_.find_metadata(k)) return k;
  if (names.empty()) return architecture_;
  return source_.kind() == SourceKind::kGguf ? names.front() : names[1];  // text_config is for models with more parts
}

Result<int64_t> Hyperparameters::size_or(HyperKey key, int64_t fallback) const {
  for (const std::string& k : spellings(key)) {
    // Some files give one value a layer; one that is the same for all layers is that value.
    if (const MetaValue* m = source_.find_metadata(k))
      if (const auto* list = std::get_if<std::vector<int64_t>>(m)) {
        if (list->empty() || std::ranges::any_of(*list, [&](int64_t x) { return x != list->front(); }))
          return unimplemented("[model] '{}' differs between layers, which this architecture does not support yet", k);
        return list->front();
      }
    const auto v = INGOT_TRY(source_.get_int(k));
    if (!v) continue;
    if (*v < 0 || *v >= kSizeMax)
      return invalid("[model] '{}' is {}, not a size in [0, 2^31): convert or download the model again", k, *v);
    return *v;
  }
  return fallback;
}

Result<int64_t> Hyperparameters::require_size(HyperKey key) const {
  const int64_t v = INGOT_TRY(size_or(key, -1));
  if (v < 0) return invalid("[model] '{}' is missing: the file is incomplete, convert it again", name(key));
  if (v == 0)
    return invalid("[model] '{}' is 0, it must be at least 1: convert or download the model again", name(key));
  return v;
}

Result<double> Hyperparameters::number_or(HyperKey key, double fallback) const {
  for (const std::string& k : spellings(key)) {
    const auto v = INGOT_TRY(source_.get_double(k));
    if (!v) continue;
    if (!std::isfinite(*v))
      return invalid("[model] '{}' is {}, not a finite number: convert or download the model again", k, *v);
    return *v;
  }
  return fallback;
}

Result<std::string> Hyperparameters::string_or(HyperKey key, std::string fallback) const {
  for (const std::string& k : spellings(key))
    if (const auto v = INGOT_TRY(source_.get_string(k))) return std::string(*v);
  return fallback;
}

std::vector<float> Hyperparameters::floats(HyperKey key) const {
  for (const std::string& k : spellings(key)) {
    const MetaValue* m = source_.find_metadata(k);
    if (!m) continue;
    if (const auto* d = std::get_if<std::vector<double>>(m)) return {d->begin(), d->end()};
    if (const auto* i = std::get_if<std::vector<int64_t>>(m)) return {i->begin(), i->end()};
  }
  return {};
}

Result<ModelConfig> read_config(const Source& source, const std::string& architecture) {
  const Hyperparameters h(source, architecture);
  ModelConfig c{.architecture = architecture};
  c.layers = INGOT_TRY(h.require_size({"block_count", "num_hidden_layers|n_layer"}));
  c.width = INGOT_TRY(h.require_size({"embedding_length", "hidden_size|n_embd"}));
  c.heads = INGOT_TRY(h.require_size({"attention.head_count", "num_attention_heads|n_head"}));
  c.kv_heads = INGOT_TRY(h.size_or({"attention.head_count_kv", "num_key_value_heads"}, c.heads));
  c.ffn = INGOT_TRY(h.size_or({"feed_forward_length", "intermediate_size|n_inner"}, 4 * c.width));
  c.context = INGOT_TRY(h.require_size({"context_length", "max_position_embeddings|n_positions"}));
  c.head_dim = INGOT_TRY(h.size_or({"attention.key_length", "head_dim"}, c.width / c.heads));
  c.window = INGOT_TRY(h.size_or({"attention.sliding_window", "sliding_window"}, 0));
  c.norm_eps = static_cast<float>(INGOT_TRY(h.number_or(
      {"attention.layer_norm_rms_epsilon|attention.layer_norm_epsilon", "rms_norm_eps|layer_norm_epsilon|norm_eps"},
      1e-5)));
  c.attention_softcap =
      static_cast<float>(INGOT_TRY(h.number_or({"attn_logit_softcapping", "attn_logit_softcapping"}, 0)));
  c.logit_softcap =
      static_cast<float>(INGOT_TRY(h.number_or({"final_logit_softcapping", "final_logit_softcapping"}, 0)));
  constexpr std::string_view kAgain = "convert or download the model again";
  if (c.layers > 4096)
    return invalid("[model] '{}' is {}, over the limit 4096: {}", h.name({"block_count", "num_hidden_layers"}),
                   c.layers, kAgain);
  if (c.kv_heads < 1 || c.heads % c.kv_heads)
    return invalid("[model] '{}' is {}, which does not divide the {} attention heads: {}",
                   h.name({"attention.head_count_kv", "num_key_value_heads"}), c.kv_heads, c.heads, kAgain);
  if (c.head_dim < 2 || c.head_dim > 4096)
    return invalid("[model] '{}' is {}, not in [2, 4096] ({} wide, {} heads): {}",
                   h.name({"attention.key_length", "head_dim"}), c.head_dim, c.width, c.heads, kAgain);
  INGOT_TRY(check(c.norm_eps >= 0 && c.norm_eps < 1, h.name({"attention.layer_norm_rms_epsilon", "rms_norm_eps"}),
                  static_cast<double>(c.norm_eps)));
  c.attention_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.head_dim)));
  c.rope.base = INGOT_TRY(h.number_or({"rope.freq_base", "rope_theta|rope_parameters.rope_theta"}, 10000));
  INGOT_TRY(check(c.rope.base > 0, h.name({"rope.freq_base", "rope_theta"}), c.rope.base));
  const double partial = INGOT_TRY(h.number_or({"", "partial_rotary_factor|rope_parameters.partial_rotary_factor"}, 1));
  INGOT_TRY(check(partial > 0 && partial <= 1, h.name({"", "partial_rotary_factor"}), partial));
  c.rope.rotary_dim = INGOT_TRY(
      h.size_or({"rope.dimension_count", ""}, static_cast<int64_t>(static_cast<double>(c.head_dim) * partial)));
  if (c.rope.rotary_dim % 2 || c.rope.rotary_dim > c.head_dim)
    return invalid("[model] '{}' is {}: not an even number that fits a head of {}: {}",
                   h.name({"rope.dimension_count", "partial_rotary_factor"}), c.rope.rotary_dim, c.head_dim, kAgain);
  INGOT_TRY(read_yarn_and_friends(h, c.rope, static_cast<double>(c.context)));
  return c;
}

}  // namespace ingot
