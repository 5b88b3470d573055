#include "models/gemma.h"

#include <cmath>

namespace ingot {
namespace {

constexpr NamePair kNames[] = {
    {"blk.%.post_attention_norm", "model.layers.%.post_attention_layernorm"},
    {"blk.%.ffn_norm", "model.layers.%.pre_feedforward_layernorm"},
    {"blk.%.post_ffw_norm", "model.layers.%.post_feedforward_layernorm"},
};

}  // namespace

ValueId gemma_start(ModelBuilder& b) {
  b.use_names(kNames);
  b.norm_add = b.from_hugging_face() ? 1 : 0;
  return b.embed_tokens(std::sqrt(static_cast<float>(b.config.width)));
}

ValueId gemma_layer(ModelBuilder& b, ValueId x, int64_t layer, ValueId rope_table, const std::string& act,
                    const AttentionOptions& options) {
  const std::string blk = fmt::format("blk.{}", layer);
  const ValueId a = b.self_attention(b.rms_norm(x, blk + ".attn_norm"), blk, layer, rope_table, options);
  x = b.add(x, b.rms_norm(a, blk + ".post_attention_norm"));
  const ValueId m = b.gated_mlp(b.rms_norm(x, blk + ".ffn_norm"), blk, act);
  return b.add(x, b.rms_norm(m, blk + ".post_ffw_norm"));
}

// transformers' Gemma 2 and 3 do not read hidden_act.
Result<std::string> gemma_activation(const ModelBuilder& b) {
  return b.hyperparameters().activation("hidden_activation", "gelu_tanh");
}

Result<float> gemma_attention_scale(const ModelBuilder& b, int64_t layers_of_27b) {
  const ModelConfig& c = b.config;
  double scalar = static_cast<double>(c.layers == layers_of_27b ? c.width / c.heads : c.head_dim);
  if (b.from_hugging_face()) scalar = INGOT_TRY(b.hyperparameters().number_or({"", "query_pre_attn_scalar"}, 256));
  if (scalar <= 0) return invalid("[model] 'config.query_pre_attn_scalar' is {}, not above 0: download again", scalar);
  return static_cast<float>(1 / std::sqrt(scalar));
}

}  // namespace ingot
