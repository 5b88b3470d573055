// Llama 1, 2 and 3.x (Touvron et al. 2023; Grattafiori et al. 2024) and Mistral, whose window is in the config.
#include "models/decoder.h"

namespace ingot {

Result<LanguageModel> build_llama(ModelBuilder& b) {
  // GGUF's converter reorders the rows of q and k so that rotated pairs are neighbours.
  b.config.rope.interleaved = !b.from_hugging_face();
  return build_decoder(b, {.window = [&](int64_t) { return b.config.window; }});
}

}  // namespace ingot
