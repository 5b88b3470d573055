// What the searching encoders (K types, IQ4_NL) share: inputs brought to a common size, so that sums of
// squares neither overflow nor vanish, and the rounding that vectorizes. Private to src/tensor/blocks/.
#pragma once

#include <algorithm>
#include <cmath>

#include "tensor/half.h"

namespace ingot::blocks {

// To the nearest integer, |v| < 2^22: adding 1.5 * 2^23 leaves no bits for a fraction.
[[gnu::always_inline]] inline float round_small(float v) {
  constexpr float kMagic = 12582912.0f;
  return (v + kMagic) - kMagic;
}

// N elements scaled by a power of two so that the largest magnitude is in [4, 8), and their weights:
// importance * sqrt(mean(x^2) + bend * x^2), since large weights matter more than their share of the plain
// error. With bend 1 (0.4 where importance is measured) plain and magnitude-weighted error are both low.
template <int N>
struct Prepared {
  alignas(64) float x[N];
  alignas(64) float w[N];
  float unit;  // original = x * unit; 0 if every element is too small for a binary16 scale

  // A scale of the prepared elements as it will be stored (nearest binary16, saturated), and as it will act.
  [[gnu::always_inline]] uint16_t stored(float scale) const {
    return float_to_half(std::clamp(scale * unit, -65504.0f, 65504.0f));
  }
  [[gnu::always_inline]] float acting(uint16_t bits) const { return half_to_float(bits) / unit; }
};

template <int N>
void prepare(const float* x, const float* importance, Prepared<N>& p) {
  float largest = 0, heaviest = 0;
#pragma omp simd reduction(max : largest)
  for (int i = 0; i < N; ++i) largest = std::max(largest, std::fabs(x[i]));
  int exponent = 0;
  std::frexp(largest, &exponent);
  p.unit = largest < 0x1p-25f ? 0 : std::ldexp(1.0f, exponent - 3);
  const float inverse = p.unit > 0 ? 1 / p.unit : 0;
  for (int i = 0; i < N; ++i) p.x[i] = x[i] * inverse;
  for (int i = 0; importance && i < N; ++i) heaviest = std::max(heaviest, importance[i]);
  const bool measured = heaviest > 0x1p-100f;
  const float per_weight = measured ? 1 / heaviest : 0;
  const float bend = measured ? 0.4f : 1.0f;
  float square = 0;
#pragma omp simd reduction(+ : square)
  for (int i = 0; i < N; ++i) square += p.x[i] * p.x[i];
  for (int i = 0; i < N; ++i) p.w[i] = std::sqrt(square / N + bend * p.x[i] * p.x[i]);
  // The floor keeps elements without importance from running away.
  for (int i = 0; measured && i < N; ++i) p.w[i] *= std::max(importance[i] * per_weight, 1e-5f);
}

}  // namespace ingot::blocks
