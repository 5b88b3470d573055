// Gemma 2 (Riviere et al. 2024): norms before and after each part, window in every other layer, soft caps.
#include <cmath>

#include "models/builder.h"

namespace ingot {
namespace {

constexpr NamePair kNames[] = {
    {"blk.%.post_attention_norm", "model.layers.%.post_attention_layernorm"},
    {"blk.%.ffn_norm", "model.layers.%.pre_feedforward_layernorm"},
    {"blk.%.post_ffw_norm", "model.layers.%.post_feedforward_layernorm"},
};

}  // namespace

Result<LanguageModel> build_gemma2(ModelBuilder& b) {
  const ModelConfig& c = b.config;
  b.use_names(kNames);
  b.norm_add = b.from_hugging_face() ? 1 : 0;
  // Hugging Face's query_pre_attn_scalar; GGUF has no key for it, and only the 27B differs from its head size.
  const auto scalar = b.hyperparameters().number_or({"", "query_pre_attn_scalar"}, 0);
  if (!scalar) b.fail(scalar.error());
  float scale = c.attention_scale;
  if (scalar && *scalar > 0)
    scale = static_cast<float>(1 / std::sqrt(*scalar));
  else if (c.layers == 46)
    scale = static_cast<float>(1 / std::sqrt(static_cast<double>(c.width) / static_cast<double>(c.heads)));
  ValueId x = b.embed_tokens(std::sqrt(static_cast<float>(c.width)));
  const ValueId table = b.rope_table(c.rope);
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string blk = fmt::format("blk.{}", i);
    const ValueId h = b.rms_norm(x, blk + ".attn_norm");
    const ValueId q = b.rope(b.linear(h, blk + ".attn_q", c.heads * c.head_dim, c.width), table);
    const ValueId k = b.rope(b.linear(h, blk + ".attn_k", c.kv_heads * c.head_dim, c.width), table);
    const ValueId v = b.linear(h, blk + ".attn_v", c.kv_heads * c.head_dim, c.width);
    const ValueId a =
        b.attention(q, k, v, i, {.window = i % 2 == 0 ? c.window : 0, .softcap = c.attention_softcap, .scale = scale});
    const ValueId o = b.linear(a, blk + ".attn_output", c.width, c.heads * c.head_dim);
    x = b.add(x, b.rms_norm(o, blk + ".post_attention_norm"));
    const ValueId m = b.gated_mlp(b.rms_norm(x, blk + ".ffn_norm"), blk, "gelu_tanh");
    x = b.add(x, b.rms_norm(m, blk + ".post_ffw_norm"));
  }
  return b.finish(b.rms_norm(x, "output_norm"));
}

}  // namespace ingot
