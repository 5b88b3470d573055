// Qwen 3 (Yang et al. 2025): Llama's block with an RMS norm on every head of q and k before the rotation.
#include "models/builder.h"

namespace ingot {

Result<LanguageModel> build_qwen3(ModelBuilder& b) {
  const ModelConfig& c = b.config;
  ValueId x = b.embed_tokens();
  const ValueId table = b.rope_table(c.rope);
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string blk = fmt::format("blk.{}", i);
    const ValueId h = b.rms_norm(x, blk + ".attn_norm");
    const ValueId q = b.linear(h, blk + ".attn_q", c.heads * c.head_dim, c.width);
    const ValueId k = b.linear(h, blk + ".attn_k", c.kv_heads * c.head_dim, c.width);
    const ValueId v = b.linear(h, blk + ".attn_v", c.kv_heads * c.head_dim, c.width);
    const ValueId a = b.attention(b.rope(b.rms_norm(q, blk + ".attn_q_norm", c.head_dim), table),
                                  b.rope(b.rms_norm(k, blk + ".attn_k_norm", c.head_dim), table), v, i, {});
    x = b.add(x, b.linear(a, blk + ".attn_output", c.width, c.heads * c.head_dim));
    x = b.add(x, b.gated_mlp(b.rms_norm(x, blk + ".ffn_norm"), blk, "silu"));
  }
  return b.finish(b.rms_norm(x, "output_norm"));
}

}  // namespace ingot
