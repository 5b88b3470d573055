// Llama 1, 2 and 3.x (Touvron et al. 2023; Grattafiori et al. 2024) and Mistral, whose window is in the config.
#include "models/builder.h"

namespace ingot {

Result<LanguageModel> build_llama(ModelBuilder& b) {
  const ModelConfig& c = b.config;
  // GGUF's converter reorders the rows of q and k so that rotated pairs are neighbours.
  b.config.rope.interleaved = !b.from_hugging_face();
  ValueId x = b.embed_tokens();  // [T, E]
  const ValueId table = b.rope_table(c.rope);
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string blk = fmt::format("blk.{}", i);
    const ValueId h = b.rms_norm(x, blk + ".attn_norm");
    const ValueId q = b.rope(b.linear(h, blk + ".attn_q", c.heads * c.head_dim, c.width), table);
    const ValueId k = b.rope(b.linear(h, blk + ".attn_k", c.kv_heads * c.head_dim, c.width), table);
    const ValueId v = b.linear(h, blk + ".attn_v", c.kv_heads * c.head_dim, c.width);
    const ValueId a = b.attention(q, k, v, i, {.window = c.window});  // [T, H*D]
    x = b.add(x, b.linear(a, blk + ".attn_output", c.width, c.heads * c.head_dim));
    x = b.add(x, b.gated_mlp(b.rms_norm(x, blk + ".ffn_norm"), blk, "silu"));
  }
  return b.finish(b.rms_norm(x, "output_norm"));
}

}  // namespace ingot
