// e^x by multiplications and additions only, so that it has the same bits on every machine.
#pragma once

#include <bit>
#include <cstdint>

namespace ingot::llm {

inline constexpr float kExpMin = -87.0f;  // below, e^x is taken as 0

// For kExpMin <= x <= 0. e^x = 2^n * e^r with |r| <= ln2/2; e^r by its Taylor series up to r^7.
// F, I: float and int32_t, or vectors of them.
template <class F, class I>
[[gnu::always_inline]] inline F exp_series(F x) {
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

}  // namespace ingot::llm
