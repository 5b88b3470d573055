// GPT-2 (Radford et al. 2019): learned positions, layer norms, one qkv matrix, GELU; no rotation.
#include "models/builder.h"

namespace ingot {
namespace {

constexpr NamePair kNames[] = {
    {"token_embd", "wte"},
    {"position_embd", "wpe"},
    {"output_norm", "ln_f"},
    {"blk.%.attn_norm", "h.%.ln_1"},
    {"blk.%.ffn_norm", "h.%.ln_2"},
    {"blk.%.attn_qkv", "h.%.attn.c_attn"},
    {"blk.%.attn_output", "h.%.attn.c_proj"},
    {"blk.%.ffn_up", "h.%.mlp.c_fc"},
    {"blk.%.ffn_down", "h.%.mlp.c_proj"},
};

}  // namespace

Result<LanguageModel> build_gpt2(ModelBuilder& b) {
  const ModelConfig& c = b.config;
  const std::string act = INGOT_TRY(b.hyperparameters().activation("activation_function", "gelu_tanh"));
  b.use_names(kNames);
  b.transposed = b.from_hugging_face();
  if (b.context() > c.context)
    b.fail(Status(Code::kOutOfRange, fmt::format("[model] this model has {} learned positions: --ctx {} is too large",
                                                 c.context, b.context())));
  ValueId x = b.add(b.embed_tokens(), b.embed_positions("position_embd", c.context));
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string blk = fmt::format("blk.{}", i);
    const ValueId qkv = b.linear(b.layer_norm(x, blk + ".attn_norm"), blk + ".attn_qkv", 3 * c.width, c.width);
    const auto [q, k, v] = b.split3(qkv, c.width, c.width, c.width);
    x = b.add(x, b.linear(b.attention(q, k, v, i, {}), blk + ".attn_output", c.width, c.width));
    const ValueId up = b.linear(b.layer_norm(x, blk + ".ffn_norm"), blk + ".ffn_up", c.ffn, c.width);
    x = b.add(x, b.linear(b.activation(up, act), blk + ".ffn_down", c.width, c.ffn));
  }
  return b.finish(b.layer_norm(x, "output_norm"));
}

}  // namespace ingot
