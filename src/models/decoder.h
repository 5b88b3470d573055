// The decoder that most families share (Llama's): RMS norm, rotary attention, RMS norm, gated MLP, each with a
// residual.
//
// A family's file sets what differs and calls build_decoder(). Thread-safety: as ModelBuilder.
#pragma once

#include <functional>

#include "models/builder.h"

namespace ingot {

struct DecoderOptions {
  bool head_norms = false;                            // RMS norms on the heads of q and k
  std::function<int64_t(int64_t layer)> window = {};  // tokens a layer sees, 0 = all; none: all do
};

Result<LanguageModel> build_decoder(ModelBuilder& b, const DecoderOptions& options);

}  // namespace ingot
