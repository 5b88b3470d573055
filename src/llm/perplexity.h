// Perplexity of a text under a model, by the method of llama.cpp's tool, so that numbers compare.
//
// The tokens are cut into windows of `context`; each runs on its own, its first token replaced by BOS where the
// model adds one; the second half of each window is scored. Thread-safety: one thread.
#pragma once

#include <functional>
#include <span>

#include "llm/loaded_model.h"

namespace ingot::llm {

struct Perplexity {
  double perplexity = 0;
  double nll = 0;        // mean negative log-likelihood of a scored token, nats
  double deviation = 0;  // standard error of nll
  int64_t scored = 0;    // tokens
  int64_t windows = 0;
};

// context: tokens of a window, at least 4, at most the runner's. progress(windows done, of how many).
// Errors: kInvalidArgument when the text has fewer than 2 * context tokens.
Result<Perplexity> perplexity(LoadedModel& model, std::span<const int32_t> tokens, int64_t context,
                              const std::function<void(const Perplexity&, int64_t)>& progress);

}  // namespace ingot::llm
