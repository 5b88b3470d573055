// Gemma 3, text (Kamath et al. 2025): gemma 2's block with norms on q and k instead of caps; five of six layers
// see a window and rotate with their own base, every sixth sees all.
#include "models/gemma.h"

namespace ingot {

Result<LanguageModel> build_gemma3(ModelBuilder& b) {
  const ModelConfig& c = b.config;
  const Hyperparameters h = b.hyperparameters();
  const float scale = INGOT_TRY(gemma_attention_scale(b, 62));
  const int64_t pattern =
      INGOT_TRY(h.size_or({"attention.sliding_window_pattern", "sliding_window_pattern|_sliding_window_pattern"}, 6));
  const auto slides =
      INGOT_TRY(h.sliding_layers(c.layers, [&](int64_t i) { return pattern > 0 && (i + 1) % pattern != 0; }));
  RopeConfig global = c.rope, local = c.rope;
  global.base = INGOT_TRY(h.number_or({"rope.freq_base", "rope_theta|rope_parameters.full_attention.rope_theta"}, 1e6));
  local.base = INGOT_TRY(h.number_or(
      {"rope.local.freq_base|rope.freq_base_swa", "rope_local_base_freq|rope_parameters.sliding_attention.rope_theta"},
      10000));
  local.scaling = "none";
  local.attention_factor = 0;
  constexpr HyperKey kLocalScaling{"", "rope_parameters.sliding_attention.rope_type"};
  if (const std::string type = INGOT_TRY(h.string_or(kLocalScaling, "default")); type != "default")
    return unimplemented("[model] '{}' is '{}', only 'default' is supported", h.name(kLocalScaling), type);
  const std::string act = INGOT_TRY(gemma_activation(b));
  ValueId x = gemma_start(b);
  const ValueId global_table = b.rope_table(global), local_table = b.rope_table(local);
  for (int64_t i = 0; i < c.layers; ++i) {
    const bool local_layer = slides[static_cast<size_t>(i)];
    x = gemma_layer(b, x, i, local_layer ? local_table : global_table, act,
                    {.window = local_layer ? c.window : 0, .scale = scale, .head_norms = true});
  }
  return b.finish(b.rms_norm(x, "output_norm"));
}

}  // namespace ingot
