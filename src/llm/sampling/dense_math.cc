// Chooses the vector passes of this machine once. See dense_math.h.
#include "llm/sampling/dense_math.h"

#include <cmath>
#include <limits>

#include "base/cpu_features.h"
#include "llm/sampling/dense_kernels.h"
#include "llm/sampling/exp_series.h"

namespace ingot::llm {
namespace {

const DenseKernels& kernels() {
#if defined(__x86_64__)
  static const DenseKernels& best = isa_includes(current_isa(), Isa::kAvx2) ? kDenseAvx2 : kDenseBaseline;
  return best;
#else
  return kDenseBaseline;
#endif
}

}  // namespace

float exp_negative(float x) { return x >= kExpMin ? exp_series<float, int32_t>(x) : 0.0f; }

int64_t argmax(std::span<const float> x) { return kernels().argmax(x); }

double sum_exp(std::span<const float> x, float max) { return kernels().sum_exp(x, max); }

size_t skip_below(std::span<const float> x, size_t begin, float threshold) {
  return kernels().skip_below(x, begin, threshold);
}

Moments moments(std::span<const float> x) {
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  Moments m;
  double sum = 0;
  for (float v : x) {
    if (v > kLowest) {
      sum += v;
      ++m.count;
    }
  }
  if (m.count == 0) return m;
  m.mean = sum / static_cast<double>(m.count);
  double squares = 0;
  for (float v : x) {
    if (v > kLowest) squares += (v - m.mean) * (v - m.mean);
  }
  m.deviation = std::sqrt(squares / static_cast<double>(m.count));
  return m;
}

}  // namespace ingot::llm
