// Phi-3 and 3.5 mini (Abdin et al. 2024): Llama's block with q, k, v in one matrix and gate, up in another; LongRoPE.
#include <cmath>

#include "models/builder.h"

namespace ingot {
namespace {

constexpr NamePair kNames[] = {{"blk.%.ffn_up", "model.layers.%.mlp.gate_up_proj"}};

}  // namespace

Result<LanguageModel> build_phi3(ModelBuilder& b) {
  const ModelConfig& c = b.config;
  const std::string act = INGOT_TRY(b.hyperparameters().activation("hidden_act", "silu"));
  b.use_names(kNames);
  const int64_t q_width = c.heads * c.head_dim, kv_width = c.kv_heads * c.head_dim;
  ValueId x = b.embed_tokens();
  const ValueId table = b.rope_table(c.rope);
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string blk = fmt::format("blk.{}", i);
    const ValueId qkv = b.linear(b.rms_norm(x, blk + ".attn_norm"), blk + ".attn_qkv", q_width + 2 * kv_width, c.width);
    const auto [q, k, v] = b.split3(qkv, q_width, kv_width, kv_width);
    const ValueId a = b.attention(b.rope(q, table), b.rope(k, table), v, i, {.window = c.window});
    x = b.add(x, b.linear(a, blk + ".attn_output", c.width, q_width));
    const ValueId gate_up = b.linear(b.rms_norm(x, blk + ".ffn_norm"), blk + ".ffn_up", 2 * c.ffn, c.width);
    x = b.add(x, b.linear(b.gated(gate_up, kNoValue, act), blk + ".ffn_down", c.width, c.ffn));
  }
  return b.finish(b.rms_norm(x, "output_norm"));
}

}  // namespace ingot
