#include "backends/cpu/ops/moe/route.h"

#include <algorithm>
#include <cmath>

namespace ingot {

void choose_experts(const float* logits, int64_t experts, int64_t used, bool normalize, int32_t* ids, float* weights) {
  for (int64_t e = 0; e < experts; ++e) {
    int64_t at = std::min(e, used);  // where e belongs among the best so far
    while (at > 0 && logits[e] > logits[ids[at - 1]]) --at;
    if (at == used) continue;
    for (int64_t i = std::min(e, used - 1); i > at; --i) ids[i] = ids[i - 1];
    ids[at] = static_cast<int32_t>(e);
  }
  const float best = logits[ids[0]];
  float total = 0;
  for (int64_t r = 0; r < used; ++r) total += weights[r] = std::exp(logits[ids[r]] - best);
  if (!normalize) {
    total = 0;
    for (int64_t e = 0; e < experts; ++e) total += std::exp(logits[e] - best);
  }
  for (int64_t r = 0; r < used; ++r) weights[r] /= total;
}

}  // namespace ingot
