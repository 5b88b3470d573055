// What Gemma 2 and 3 share: names, embeddings scaled by sqrt(E), norms before and after each part, gelu.
#pragma once

#include "models/builder.h"

namespace ingot {

// Sets the names and how norms are stored; returns the scaled embeddings [T, E].
ValueId gemma_start(ModelBuilder& b);
// One layer of it; act: gemma_activation().
ValueId gemma_layer(ModelBuilder& b, ValueId x, int64_t layer, ValueId rope_table, const std::string& act,
                    const AttentionOptions& options);
Result<std::string> gemma_activation(const ModelBuilder& b);
// What multiplies q·k. config.json says it (query_pre_attn_scalar, 256 in the class of both). GGUF has no key for
// it; there, as in llama.cpp, it follows from the head size, except in the one published size of each generation
// whose scalar is another: the 27B, told by its number of layers, scales by the width a head would have.
Result<float> gemma_attention_scale(const ModelBuilder& b, int64_t layers_of_27b);

}  // namespace ingot
