// The vector passes of dense_math.h.
#include "llm/sampling/dense_math.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace ingot::llm {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();
constexpr size_t kLanes = 8;
constexpr size_t kBlock = 1024;

using Floats = float __attribute__((vector_size(kLanes * sizeof(float))));
using Ints = int32_t __attribute__((vector_size(kLanes * sizeof(int32_t))));

Floats load(const float* p) {
  Floats v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

Floats splat(float x) { return Floats{} + x; }

float lane_max(Floats v) {
  float m = v[0];
  for (size_t i = 1; i < kLanes; ++i) m = v[i] > m ? v[i] : m;
  return m;
}

// e^x = 2^n * e^r with |r| <= ln2/2; e^r by its Taylor series up to r^7. F: float or Floats.
template <class F, class I>
F exp_series(F x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const F shifted = x * 1.44269504f + kRound;
  const F n = shifted - kRound;
  const F r = x - n * 0.693145752f - n * 1.42860677e-6f;
  F e = r * 1.98412698e-4f + 1.38888889e-3f;
  e = e * r + 8.33333333e-3f;
  e = e * r + 4.16666667e-2f;
  e = e * r + 1.66666667e-1f;
  e = e * r + 0.5f;
  e = e * r * r + r + 1.0f;
  const I exponent = (std::bit_cast<I>(shifted) - std::bit_cast<int32_t>(kRound) + 127) << 23;
  return e * std::bit_cast<F>(exponent);
}

constexpr float kExpMin = -87.0f;

Floats exp_negative(Floats x) {
  const Ints normal = x >= kExpMin;  // false for NaN, too
  const Floats e = exp_series<Floats, Ints>(normal ? x : splat(kExpMin));
  return normal ? e : Floats{};
}

float block_max(const float* x) {
  Floats a = splat(kLowest), b = a, c = a, d = a;
  for (size_t i = 0; i < kBlock; i += 4 * kLanes) {
    const Floats v0 = load(x + i), v1 = load(x + i + kLanes);
    const Floats v2 = load(x + i + 2 * kLanes), v3 = load(x + i + 3 * kLanes);
    a = v0 > a ? v0 : a;
    b = v1 > b ? v1 : b;
    c = v2 > c ? v2 : c;
    d = v3 > d ? v3 : d;
  }
  a = b > a ? b : a;
  c = d > c ? d : c;
  return lane_max(c > a ? c : a);
}

}  // namespace

float exp_negative(float x) { return x >= kExpMin ? exp_series<float, int32_t>(x) : 0.0f; }

int64_t argmax(std::span<const float> x) {
  float best = kLowest;
  size_t best_begin = x.size();
  size_t i = 0;
  for (; i + kBlock <= x.size(); i += kBlock) {
    const float m = block_max(&x[i]);
    if (m > best) {
      best = m;
      best_begin = i;
    }
  }
  for (; i < x.size(); ++i) {
    if (x[i] > best) {
      best = x[i];
      best_begin = i;
    }
  }
  for (size_t j = best_begin; j < x.size(); ++j) {
    if (x[j] == best) return static_cast<int64_t>(j);
  }
  return -1;
}

double sum_exp(std::span<const float> x, float max) {
  double total = 0;
  size_t i = 0;
  for (; i + kBlock <= x.size(); i += kBlock) {
    Floats a{}, b{};
    for (size_t j = i; j < i + kBlock; j += 2 * kLanes) {
      a += exp_negative(load(&x[j]) - max);
      b += exp_negative(load(&x[j + kLanes]) - max);
    }
    a += b;
    for (size_t lane = 0; lane < kLanes; ++lane) total += a[lane];
  }
  for (; i < x.size(); ++i) total += exp_negative(x[i] - max);
  return total;
}

Moments moments(std::span<const float> x) {
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

bool any_above_32(const float* x, float threshold) {
  const Ints hit =
      (load(x) > threshold) | (load(x + 8) > threshold) | (load(x + 16) > threshold) | (load(x + 24) > threshold);
  int64_t words[4];
  std::memcpy(words, &hit, sizeof words);
  return (words[0] | words[1] | words[2] | words[3]) != 0;
}

}  // namespace ingot::llm
