// Qwen 2 and 2.5 (Yang et al. 2024): Llama's block with biases on q, k and v, which linear() finds by name.
#include "models/builder.h"

namespace ingot {

Result<LanguageModel> build_qwen2(ModelBuilder& b) {
  const ModelConfig& c = b.config;
  ValueId x = b.embed_tokens();
  const ValueId table = b.rope_table(c.rope);
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string blk = fmt::format("blk.{}", i);
    const ValueId h = b.rms_norm(x, blk + ".attn_norm");
    const ValueId q = b.rope(b.linear(h, blk + ".attn_q", c.heads * c.head_dim, c.width), table);
    const ValueId k = b.rope(b.linear(h, blk + ".attn_k", c.kv_heads * c.head_dim, c.width), table);
    const ValueId v = b.linear(h, blk + ".attn_v", c.kv_heads * c.head_dim, c.width);
    x = b.add(x, b.linear(b.attention(q, k, v, i, {}), blk + ".attn_output", c.width, c.heads * c.head_dim));
    x = b.add(x, b.gated_mlp(b.rms_norm(x, blk + ".ffn_norm"), blk, "silu"));
  }
  return b.finish(b.rms_norm(x, "output_norm"));
}

}  // namespace ingot
