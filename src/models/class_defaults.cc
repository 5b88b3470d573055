#include "models/class_defaults.h"

#include <algorithm>

namespace ingot {
namespace {

// transformers 5: LlamaConfig, MistralConfig, MixtralConfig, Qwen2Config, Qwen3Config, Qwen3MoeConfig, Gemma2Config,
// Gemma3TextConfig, Phi3Config, GPT2Config. Columns: layers, width, ffn, heads, kv heads, head size, context, epsilon,
// window, soft caps, original context, base of the rotation, experts, those used, their ffn.
constexpr ClassDefaults kClasses[] = {
    {"llama", 32, 4096, 11008, 32, 0, 0, 2048, 1e-6},
    {"mistral", 32, 4096, 14336, 32, 8, 0, 131072, 1e-6, 4096},
    {"mixtral", 32, 4096, 14336, 32, 8, 0, 131072, 1e-5, 0, 0, 0, 0, 1e6, 8, 2},
    {"qwen2", 32, 4096, 22016, 32, 32, 0, 32768, 1e-6, 4096},
    {"qwen3", 32, 4096, 22016, 32, 32, 128, 32768, 1e-6, 4096},
    {"qwen3_moe", 24, 2048, 6144, 32, 4, 0, 32768, 1e-6, 4096, 0, 0, 0, 10000, 128, 8, 768},
    {"gemma2", 26, 2304, 9216, 8, 4, 256, 8192, 1e-6, 4096, 50, 30},
    {"gemma3_text", 26, 2304, 9216, 8, 4, 256, 131072, 1e-6, 4096},
    {"phi3", 32, 3072, 8192, 32, 0, 0, 4096, 1e-5, 0, 0, 0, 4096},
    {"gpt2", 12, 768, 0, 12, 0, 0, 1024, 1e-5},
};

}  // namespace

Result<ClassDefaults> class_defaults(const Source& source) {
  if (source.kind() != SourceKind::kHuggingFace) {
    if (INGOT_TRY(source.get_string("general.architecture")) != "gemma2") return ClassDefaults{};
    return ClassDefaults{.window = 4096, .attention_softcap = 50, .logit_softcap = 30};
  }
  auto type = INGOT_TRY(source.get_string("config.text_config.model_type"));
  if (!type) type = INGOT_TRY(source.get_string("config.model_type"));
  if (type == "gemma3") type = "gemma3_text";  // with a text_config that does not name its type
  const auto* it = std::ranges::find(kClasses, type.value_or(""), &ClassDefaults::model_type);
  ClassDefaults d = it == std::end(kClasses) ? ClassDefaults{} : *it;
  d.tied_embeddings = type == "gemma2" || type == "gemma3_text" || type == "gpt2";
  return d;
}

}  // namespace ingot
