// How rotation is scaled, in the spellings of GGUF, of config.json and of transformers 5. Contract: rope.h.
#include <algorithm>
#include <cmath>

#include "models/rope.h"

namespace ingot {
namespace {

// A field of the scaling in its three places: on its own, and as transformers 5 writes it, for all layers or (Gemma 3)
// for those that see everything.
std::string places(std::string_view field) {
  return fmt::format("rope_scaling.{0}|rope_parameters.{0}|rope_parameters.full_attention.{0}", field);
}

Result<void> check(bool ok, std::string_view what, double value) {
  if (ok) return {};
  return invalid("[model] '{}' is {}: this cannot be; convert or download the model again", what, value);
}

// GGUF: a factor without a type is linear, 0 is none, and an old key may hold it.
Result<void> read_kind(const Hyperparameters& h, RopeConfig& rope, bool gguf) {
  const std::string types = fmt::format("{}|rope_scaling.type", places("rope_type"));
  rope.scaling = INGOT_TRY(h.string_or({"rope.scaling.type", types}, ""));
  const std::string factors = places("factor");
  rope.factor = INGOT_TRY(h.number_or({"rope.scaling.factor|rope.scale_linear", factors}, 1, std::nan("")));
  if (gguf && rope.factor == 0) rope.factor = 1;
  if (gguf && rope.scaling.empty() && rope.factor != 1) rope.scaling = "linear";
  if (rope.scaling == "default" || rope.scaling.empty()) rope.scaling = "none";
  if (rope.scaling == "su") rope.scaling = "longrope";
  static constexpr std::string_view kKnown[] = {"none", "linear", "yarn", "llama3", "longrope"};
  if (std::ranges::find(kKnown, rope.scaling) == std::end(kKnown))
    return unimplemented("[model] rope scaling '{}' is not one of none, linear, yarn, llama3, longrope", rope.scaling);
  for (const std::string_view field : {"rope_scaling", "rope_parameters"})
    INGOT_TRY(h.refuse_scalar({"", field}, "an object"));
  return {};
}

// What multiplies cos and sin, where the file says it; 0: the method's formula.
Result<void> read_attention_factor(const Hyperparameters& h, RopeConfig& rope, bool gguf) {
  const std::string hf = places("attention_factor");
  const HyperKey key{"rope.scaling.attn_factor", hf};
  rope.attention_factor = INGOT_TRY(h.number_or(key, 0));
  INGOT_TRY(check(rope.attention_factor >= 0, h.name(key), rope.attention_factor));
  if (gguf) {  // comes on top of the paper's factor
    if (rope.scaling == "yarn" && rope.attention_factor > 0) rope.attention_factor *= yarn_scale(rope.factor);
    return {};
  }
  if (rope.scaling != "yarn" && rope.scaling != "longrope") rope.attention_factor = 0;  // not read by the others
  if (rope.scaling != "yarn" || rope.attention_factor > 0) return {};
  const double weight = INGOT_TRY(h.number_or({"", places("mscale")}, 0)),
               weight_all = INGOT_TRY(h.number_or({"", places("mscale_all_dim")}, 0));
  if (weight == 0 || weight_all == 0) return {};
  rope.attention_factor = yarn_scale(rope.factor, weight) / yarn_scale(rope.factor, weight_all);
  return check(rope.attention_factor > 0 && std::isfinite(rope.attention_factor), "rope_scaling.mscale", weight);
}

Result<void> check_scaling(const Hyperparameters& h, const RopeConfig& rope) {
  const std::string factor = places("factor");
  INGOT_TRY(check(rope.factor > 0 && std::isfinite(rope.factor), h.name({"rope.scaling.factor", factor}), rope.factor));
  if (rope.scaling == "yarn") {
    INGOT_TRY(check(rope.base > 1, h.name({"rope.freq_base", "rope_theta|rope_parameters.rope_theta"}), rope.base));
    for (const auto& [beta, name] : {std::pair{rope.beta_fast, "beta_fast"}, {rope.beta_slow, "beta_slow"}})
      INGOT_TRY(check(beta > 0, fmt::format("rope scaling's {}", name), beta));
  }
  if (rope.scaling == "llama3")
    INGOT_TRY(check(rope.high_freq_factor > rope.low_freq_factor && rope.low_freq_factor > 0,
                    "rope_scaling.high_freq_factor", rope.high_freq_factor));
  for (const auto* factors : {&rope.long_factors, &rope.short_factors})
    if (!factors->empty())
      INGOT_TRY(check(static_cast<int64_t>(factors->size()) == rope.rotary_dim / 2,
                      "the number of long_factor or short_factor elements", static_cast<double>(factors->size())));
  for (const auto& [factors, name] :
       {std::pair{&rope.long_factors, "long_factor"}, {&rope.short_factors, "short_factor"}})
    for (const float f : *factors)
      INGOT_TRY(check(std::isfinite(f) && f > 0, fmt::format("config.rope_scaling.{}", name), static_cast<double>(f)));
  const bool enough = rope.original_context > 1 || (rope.scaling != "longrope" && rope.original_context == 1);
  return check(enough,
               h.name({"rope.scaling.original_context_length",
                       "original_max_position_embeddings|rope_scaling.original_max_position_embeddings"}),
               rope.original_context);
}

}  // namespace

Result<void> read_rope_scaling(const Hyperparameters& h, RopeConfig& rope, double context, bool gguf) {
  INGOT_TRY(read_kind(h, rope, gguf));
  rope.original_context = INGOT_TRY(
      h.number_or({"rope.scaling.original_context_length",
                   fmt::format("{}|original_max_position_embeddings", places("original_max_position_embeddings"))},
                  rope.original_context));
  // LongRoPE's factor comes from the lengths, and YaRN's where config.json has null.
  const bool by_length = rope.scaling == "longrope" && rope.factor == 1;
  if ((by_length || std::isnan(rope.factor)) && rope.original_context > 0)
    rope.factor = context / rope.original_context;
  if (rope.scaling == "none") rope.factor = 1;
  INGOT_TRY(read_attention_factor(h, rope, gguf));
  rope.beta_fast = INGOT_TRY(h.number_or({"rope.scaling.yarn_beta_fast", places("beta_fast")}, 32));
  rope.beta_slow = INGOT_TRY(h.number_or({"rope.scaling.yarn_beta_slow", places("beta_slow")}, 1));
  rope.truncate = INGOT_TRY(h.flag_or({"", places("truncate")}, true));
  rope.low_freq_factor = INGOT_TRY(h.number_or({"", places("low_freq_factor")}, 1));
  rope.high_freq_factor = INGOT_TRY(h.number_or({"", places("high_freq_factor")}, 4));
  rope.long_factors = h.floats({"", places("long_factor")});
  rope.short_factors = h.floats({"", places("short_factor")});
  return check_scaling(h, rope);
}

}  // namespace ingot
