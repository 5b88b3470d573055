// Llama 1, 2 and 3.x (Touvron et al. 2023; Grattafiori et al. 2024), Mistral, whose window is in the config, and
// Mixtral (Jiang et al. 2024), whose layers have experts.
#include "models/decoder.h"

namespace ingot {
namespace {

constexpr NamePair kMixtralNames[] = {
    {"blk.%.ffn_gate_inp", "model.layers.%.block_sparse_moe.gate"},
    {"blk.%.ffn_gate.#", "model.layers.%.block_sparse_moe.experts.#.w1"},
    {"blk.%.ffn_up.#", "model.layers.%.block_sparse_moe.experts.#.w3"},
    {"blk.%.ffn_down.#", "model.layers.%.block_sparse_moe.experts.#.w2"},
};

}  // namespace

Result<LanguageModel> build_llama(ModelBuilder& b) {
  // GGUF's converter reorders the rows of q and k so that rotated pairs are neighbours.
  b.config.rope.interleaved = !b.from_hugging_face();
  b.use_names(kMixtralNames);
  return build_decoder(b, {.window = [&](int64_t) { return b.config.window; },
                           .experts = [&](int64_t) { return b.config.experts > 0; }});
}

}  // namespace ingot
