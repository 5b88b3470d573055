#include "models/config.h"

#include <cmath>

#include "base/limits.h"
#include "models/class_defaults.h"
#include "models/onnx/onnx_decoder.h"
#include "models/rope.h"

namespace ingot {
namespace {

// Weights that config.json says are packed would be read as if they were plain.
Result<void> check_plain_weights(const Source& source) {
  for (const auto& [key, value] : source.metadata()) {
    if (!key.starts_with("config.quantization_config.") && !key.starts_with("config.text_config.quantization_config."))
      continue;
    const auto method = source.get_string(
        fmt::format("{}quantization_config.quant_method", key.substr(0, key.find("quantization_config."))));
    return unimplemented(
        "[model] 'config.quantization_config' says that the weights are packed by '{}', which is not supported: use "
        "the unquantized model or a .gguf file",
        method && *method ? **method : "an unnamed method");
  }
  return {};
}

// Fields whose usual value is the only one that is built: any other would change the numbers unseen.
struct FixedField {
  HyperKey key;
  bool supported;
  std::string_view architectures;  // "" = all, else "|a|b|"
};
constexpr FixedField kFixedFields[] = {
    {{"attention.causal", ""}, true, ""},
    {{"", "use_bidirectional_attention"}, false, "|gemma2|gemma3|"},
    {{"", "add_cross_attention"}, false, "|gpt2|"},
    {{"", "scale_attn_weights"}, true, "|gpt2|"},
    {{"", "scale_attn_by_inverse_layer_idx"}, false, "|gpt2|"},
};

Result<void> check_fixed_fields(const Hyperparameters& h, std::string_view architecture) {
  for (const FixedField& f : kFixedFields) {
    if (!f.architectures.empty() && !f.architectures.contains(fmt::format("|{}|", architecture))) continue;
    if (INGOT_TRY(h.flag_or(f.key, f.supported)) != f.supported)
      return unimplemented("[model] '{}' is {}, only {} is supported", h.name(f.key), !f.supported, f.supported);
  }
  return {};
}

Result<void> check(bool ok, std::string_view what, double value) {
  if (ok) return {};
  return invalid("[model] '{}' is {}: this cannot be; convert or download the model again", what, value);
}

Result<void> read_experts(const Hyperparameters& h, const ClassDefaults& d, ModelConfig& c) {
  constexpr HyperKey kCount{"expert_count", "num_local_experts|num_experts"};
  constexpr HyperKey kUsed{"expert_used_count", "num_experts_per_tok"};
  c.experts = INGOT_TRY(d.experts ? h.require_size(kCount, d.experts) : h.size_or(kCount, 0));
  if (c.experts == 0) return {};
  if (c.experts > limits::kExpertsMax)
    return invalid("[model] '{}' is {}, over the limit {}: convert or download the model again", h.name(kCount),
                   c.experts, limits::kExpertsMax);
  c.experts_used = INGOT_TRY(h.require_size(kUsed, d.experts_used));
  if (c.experts_used > c.experts)
    return invalid("[model] '{}' is {}, more than the {} experts that there are: convert or download the model again",
                   h.name(kUsed), c.experts_used, c.experts);
  c.expert_ffn = INGOT_TRY(
      h.require_size({"expert_feed_forward_length", "moe_intermediate_size"}, d.expert_ffn ? d.expert_ffn : c.ffn));
  // 1: softmax, llama.cpp's and the default; what else there is would change the numbers unseen.
  constexpr HyperKey kGating{"expert_gating_func", ""};
  if (const int64_t gating = INGOT_TRY(h.size_or(kGating, 1)); gating > 1)
    return unimplemented("[model] '{}' is {}, only 1 (softmax) is supported", h.name(kGating), gating);
  return {};
}

}  // namespace

Result<ModelConfig> read_config(const Source& source, const std::string& architecture) {
  if (source.kind() == SourceKind::kOnnx) return read_genai_config(source);
  const Hyperparameters h(source, architecture);
  ModelConfig c{.architecture = architecture};
  if (source.kind() == SourceKind::kHuggingFace) INGOT_TRY(check_plain_weights(source));
  INGOT_TRY(check_fixed_fields(h, architecture));
  const ClassDefaults d = INGOT_TRY(class_defaults(source));
  c.layers = INGOT_TRY(h.require_size({"block_count", "num_hidden_layers|n_layer"}, d.layers));
  c.width = INGOT_TRY(h.require_size({"embedding_length", "hidden_size|n_embd"}, d.width));
  c.heads = INGOT_TRY(h.require_size({"attention.head_count", "num_attention_heads|n_head"}, d.heads));
  c.kv_heads = INGOT_TRY(
      h.size_or({"attention.head_count_kv", "num_key_value_heads"}, d.kv_heads ? d.kv_heads : c.heads, c.heads));
  c.ffn = INGOT_TRY(
      h.size_or({"feed_forward_length", "intermediate_size|n_inner"}, d.ffn ? d.ffn : 4 * c.width, 4 * c.width));
  c.context = INGOT_TRY(h.require_size({"context_length", "max_position_embeddings|n_positions"}, d.context));
  const int64_t share = c.width / c.heads;
  c.head_dim = INGOT_TRY(h.size_or({"attention.key_length", "head_dim"}, d.head_dim ? d.head_dim : share, share));
  c.window = INGOT_TRY(h.size_or({"attention.sliding_window", "sliding_window"}, d.window, 0));
  constexpr HyperKey kEpsilon{"attention.layer_norm_rms_epsilon|attention.layer_norm_epsilon",
                              "rms_norm_eps|layer_norm_epsilon|norm_eps"};
  const double epsilon =
      INGOT_TRY(h.number_or(kEpsilon, source.kind() == SourceKind::kGguf ? std::nan("") : d.norm_eps));
  if (std::isnan(epsilon))
    return invalid("[model] '{}' is missing: the file is incomplete, convert it again", h.name(kEpsilon));
  c.norm_eps = static_cast<float>(epsilon);
  c.attention_softcap = static_cast<float>(
      INGOT_TRY(h.number_or({"attn_logit_softcapping", "attn_logit_softcapping"}, d.attention_softcap, 0)));
  c.logit_softcap = static_cast<float>(
      INGOT_TRY(h.number_or({"final_logit_softcapping", "final_logit_softcapping"}, d.logit_softcap, 0)));
  constexpr std::string_view kAgain = "convert or download the model again";
  if (c.layers > 4096)
    return invalid("[model] '{}' is {}, over the limit 4096: {}", h.name({"block_count", "num_hidden_layers"}),
                   c.layers, kAgain);
  if (c.kv_heads < 1 || c.heads % c.kv_heads)
    return invalid("[model] '{}' is {}, which does not divide the {} attention heads: {}",
                   h.name({"attention.head_count_kv", "num_key_value_heads"}), c.kv_heads, c.heads, kAgain);
  if (c.head_dim < 2 || c.head_dim > 4096)
    return invalid("[model] '{}' is {}, not in [2, 4096] ({} wide, {} heads): {}",
                   h.name({"attention.key_length", "head_dim"}), c.head_dim, c.width, c.heads, kAgain);
  INGOT_TRY(check(c.norm_eps >= 0 && c.norm_eps < 1, h.name({"attention.layer_norm_rms_epsilon", "rms_norm_eps"}),
                  static_cast<double>(c.norm_eps)));
  for (const auto& [cap, name] :
       {std::pair{c.attention_softcap, "attn_logit_softcapping"}, {c.logit_softcap, "final_logit_softcapping"}})
    if (cap < 0) return invalid("[model] '{}' is {}, not at least 0: {}", h.name({name, name}), cap, kAgain);
  if (source.kind() == SourceKind::kHuggingFace)
    c.tied_embeddings = INGOT_TRY(h.flag_or({"", "tie_word_embeddings"}, d.tied_embeddings));
  c.attention_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.head_dim)));
  c.rope.base = INGOT_TRY(h.number_or({"rope.freq_base", "rope_theta|rope_parameters.rope_theta"}, d.rope_base));
  INGOT_TRY(check(c.rope.base > 0, h.name({"rope.freq_base", "rope_theta"}), c.rope.base));
  constexpr HyperKey kPartial{"rope.dimension_count", "partial_rotary_factor|rope_parameters.partial_rotary_factor"};
  const double partial = INGOT_TRY(h.number_or({"", kPartial.hf}, 1));
  if (!(partial > 0 && partial <= 1))
    return invalid("[model] '{}' is {}, not in (0, 1]: {}", h.name(kPartial), partial, kAgain);
  c.rope.rotary_dim =
      INGOT_TRY(h.size_or({kPartial.gguf, ""}, static_cast<int64_t>(static_cast<double>(c.head_dim) * partial)));
  if (partial == 1 && c.rope.rotary_dim == c.head_dim && c.head_dim % 2)
    return invalid("[model] '{}' is {}, not an even number ({} wide, {} heads): {}",
                   h.name({"attention.key_length", "head_dim"}), c.head_dim, c.width, c.heads, kAgain);
  if (c.rope.rotary_dim % 2 || c.rope.rotary_dim < 2 || c.rope.rotary_dim > c.head_dim)
    return invalid("[model] '{}' lets {} of a head's {} elements rotate, which is not an even number of them: {}",
                   h.name(kPartial), c.rope.rotary_dim, c.head_dim, kAgain);
  c.rope.original_context = static_cast<double>(d.original_context ? d.original_context : c.context);
  INGOT_TRY(read_rope_scaling(h, c.rope, static_cast<double>(c.context), source.kind() == SourceKind::kGguf));
  INGOT_TRY(read_experts(h, d, c));
  return c;
}

}  // namespace ingot
