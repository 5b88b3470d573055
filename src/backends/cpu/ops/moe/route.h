// Which experts a token goes to and with what weight, for ingot.moe. Thread-safety: pure functions.
#pragma once

#include <cstdint>

namespace ingot {

// One token's choice: the `used` experts of largest logit, best first, of equal ones the first.
//   logits: [experts]      ids, weights: [used]; weights are softmax(logits), over the chosen ones alone if normalize
// A logit that is no number is never preferred; the ids are always different ones.
void choose_experts(const float* logits, int64_t experts, int64_t used, bool normalize, int32_t* ids, float* weights);

}  // namespace ingot
