// Gemma 2 (Riviere et al. 2024): norms before and after each part, window in every other layer, soft caps.
#include "models/gemma.h"

namespace ingot {

Result<LanguageModel> build_gemma2(ModelBuilder& b) {
  const ModelConfig& c = b.config;
  const float scale = INGOT_TRY(gemma_attention_scale(b, 46));
  const auto slides = INGOT_TRY(b.hyperparameters().sliding_layers(c.layers, [](int64_t i) { return i % 2 == 0; }));
  const std::string act = INGOT_TRY(gemma_activation(b));
  ValueId x = gemma_start(b);
  const ValueId table = b.rope_table(c.rope);
  for (int64_t i = 0; i < c.layers; ++i) {
    const int64_t window = slides[static_cast<size_t>(i)] ? c.window : 0;
    x = gemma_layer(b, x, i, table, act, {.window = window, .softcap = c.attention_softcap, .scale = scale});
  }
  return b.finish(b.rms_norm(x, "output_norm"));
}

}  // namespace ingot
