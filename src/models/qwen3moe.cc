// Qwen 3 with experts (Yang et al. 2025): Qwen 3's attention; each layer has experts unless config.json excepts it.
#include <algorithm>

#include "models/decoder.h"

namespace ingot {

Result<LanguageModel> build_qwen3moe(ModelBuilder& b) {
  const Hyperparameters h = b.hyperparameters();
  if (b.config.experts == 0)
    return invalid("[model] '{}' is missing or 0, this architecture has experts: convert the model again",
                   h.name({"expert_count", "num_experts"}));
  // GGUF files do not say it; those that there are come from models that normalize.
  const bool normalize = INGOT_TRY(h.flag_or({"expert_weights_norm", "norm_topk_prob"}, !b.from_hugging_face()));
  const bool slides = INGOT_TRY(h.flag_or({"", "use_sliding_window"}, false));
  const int64_t step = INGOT_TRY(h.require_size({"", "decoder_sparse_step"}, 1));
  const auto dense = INGOT_TRY(h.ints({"", "mlp_only_layers"}));
  return build_decoder(b,
                       {.head_norms = true,
                        .window = [&](int64_t) { return slides ? b.config.window : 0; },
                        .experts = [&](int64_t i) { return (i + 1) % step == 0 && std::ranges::count(dense, i) == 0; },
                        .normalize_experts = normalize});
}

}  // namespace ingot
