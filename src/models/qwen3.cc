// Qwen 3 (Yang et al. 2025): Llama's decoder with an RMS norm on every head of q and k before the rotation.
#include "models/qwen.h"

namespace ingot {

Result<LanguageModel> build_qwen3(ModelBuilder& b) {
  auto window = INGOT_TRY(qwen_windows(b));
  return build_decoder(b, {.head_norms = true, .window = std::move(window)});
}

}  // namespace ingot
