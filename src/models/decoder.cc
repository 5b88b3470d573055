#include "models/decoder.h"

namespace ingot {

Result<LanguageModel> build_decoder(ModelBuilder& b, const DecoderOptions& options) {
  const std::string act = INGOT_TRY(b.hyperparameters().activation("hidden_act", "silu"));
  ValueId x = b.embed_tokens();  // [T, E]
  const ValueId table = b.rope_table(b.config.rope);
  for (int64_t i = 0; i < b.config.layers; ++i) {
    const std::string blk = fmt::format("blk.{}", i);
    const int64_t window = options.window ? options.window(i) : 0;
    const ValueId h = b.rms_norm(x, blk + ".attn_norm");
    x = b.add(x, b.self_attention(h, blk, i, table, {.window = window, .head_norms = options.head_norms}));
    const ValueId m = b.rms_norm(x, blk + ".ffn_norm");
    const bool experts = options.experts && options.experts(i);
    x = b.add(x, experts ? b.expert_mlp(m, blk, act, options.normalize_experts) : b.gated_mlp(m, blk, act));
  }
  return b.finish(b.rms_norm(x, "output_norm"));
}

}  // namespace ingot
