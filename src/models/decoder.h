// The decoder that most families share (Llama's): RMS norm, rotary attention, RMS norm, gated MLP or experts, each with
// a residual.
//
// A family's file sets what differs and calls build_decoder(). Thread-safety: as ModelBuilder.
#pragma once

#include <functional>

#include "models/builder.h"

namespace ingot {

struct DecoderOptions {
  bool head_norms = false;                            // RMS norms on the heads of q and k
  std::function<int64_t(int64_t layer)> window = {};  // tokens a layer sees, 0 = all; none: all do
  std::function<bool(int64_t layer)> experts = {};    // layers that have experts instead of one MLP; none: none
  bool normalize_experts = true;                      // the weights of a row's experts sum to 1
};

Result<LanguageModel> build_decoder(ModelBuilder& b, const DecoderOptions& options);

}  // namespace ingot
