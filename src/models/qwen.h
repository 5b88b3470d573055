// What Qwen 2 and 3 share.
#pragma once

#include "models/decoder.h"

namespace ingot {

// The window of each layer: none unless config.json's use_sliding_window is true, then that of the layers from
// max_window_layers on. GGUF has no key that says whether it is in use, and llama.cpp uses none for Qwen.
// Ownership: the function borrows `b`.
Result<std::function<int64_t(int64_t)>> qwen_windows(const ModelBuilder& b);

}  // namespace ingot
