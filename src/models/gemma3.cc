// Gemma 3, text (Kamath et al. 2025): gemma 2's block with norms on q and k instead of caps; five of six layers
// see a window and rotate with their own base, every sixth sees all.
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

Result<LanguageModel> build_gemma3(ModelBuilder& b) {
  ModelConfig& c = b.config;
  b.use_names(kNames);
  b.norm_add = b.from_hugging_face() ? 1 : 0;
  const Hyperparameters h = b.hyperparameters();
  const int64_t pattern =
      INGOT_TRY(h.size_or({"attention.sliding_window_pattern", "sliding_window_pattern|_sliding_window_pattern"}, 6));
  const double scalar = INGOT_TRY(h.number_or({"", "query_pre_attn_scalar"}, 0));
  // GGUF has no key for it; of the published sizes only the 27B (62 layers) differs from its head size.
  float scale = c.attention_scale;
  if (scalar > 0)
    scale = static_cast<float>(1 / std::sqrt(scalar));
  else if (c.layers == 62)
    scale = static_cast<float>(1 / std::sqrt(static_cast<double>(c.width) / static_cast<double>(c.heads)));
  RopeConfig global = c.rope, local = c.rope;
  global.base = INGOT_TRY(h.number_or({"rope.freq_base", "rope_theta|rope_parameters.full_attention.rope_theta"}, 1e6));
  global.factor =
      INGOT_TRY(h.number_or({"rope.scaling.factor", "rope_scaling.factor|rope_parameters.full_attention.factor"}, 1));
  if (global.factor != 1) global.scaling = "linear";
  local.base = INGOT_TRY(h.number_or(
      {"rope.local.freq_base|rope.freq_base_swa", "rope_local_base_freq|rope_parameters.sliding_attention.rope_theta"},
      10000));
  local.scaling = "none";
  ValueId x = b.embed_tokens(std::sqrt(static_cast<float>(c.width)));
  const ValueId global_table = b.rope_table(global), local_table = b.rope_table(local);
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string blk = fmt::format("blk.{}", i);
    const bool sliding = pattern > 0 && (i + 1) % pattern != 0;
    const ValueId table = sliding ? local_table : global_table;
    const ValueId n = b.rms_norm(x, blk + ".attn_norm");
    const ValueId q = b.linear(n, blk + ".attn_q", c.heads * c.head_dim, c.width);
    const ValueId k = b.linear(n, blk + ".attn_k", c.kv_heads * c.head_dim, c.width);
    const ValueId v = b.linear(n, blk + ".attn_v", c.kv_heads * c.head_dim, c.width);
    const ValueId a = b.attention(b.rope(b.rms_norm(q, blk + ".attn_q_norm", c.head_dim), table),
                                  b.rope(b.rms_norm(k, blk + ".attn_k_norm", c.head_dim), table), v, i,
                                  {.window = sliding ? c.window : 0, .scale = scale});
    const ValueId o = b.linear(a, blk + ".attn_output", c.width, c.heads * c.head_dim);
    x = b.add(x, b.rms_norm(o, blk + ".post_attention_norm"));
    const ValueId m = b.gated_mlp(b.rms_norm(x, blk + ".ffn_norm"), blk, "gelu_tanh");
    x = b.add(x, b.rms_norm(m, blk + ".post_ffw_norm"));
  }
  return b.finish(b.rms_norm(x, "output_norm"));
}

}  // namespace ingot
