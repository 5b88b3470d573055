// Qwen 2 and 2.5 (Yang et al. 2024): Llama's decoder with biases on q, k and v, which linear() finds by name.
#include "models/qwen.h"

namespace ingot {

Result<LanguageModel> build_qwen2(ModelBuilder& b) { return build_decoder(b, {.window = INGOT_TRY(qwen_windows(b))}); }

}  // namespace ingot
