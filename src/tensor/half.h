// 16-bit floats: IEEE binary16 ("half") and bfloat16, to and from float, in portable integer code.
// Rounding is to nearest even. Every 16-bit value, NaN payloads included, survives 16 -> 32 -> 16 bits.
// The branches are selects, so loops over these functions vectorize. No result depends on
// flush-to-zero modes except float_to_half's subnormals. Thread-safety: pure functions.
#pragma once

#include <bit>
#include <cstdint>

namespace ingot {

inline float half_to_float(uint16_t h) {
  constexpr uint32_t kExponent = 0x0f800000;  // half's exponent field, moved to float's place
  constexpr uint32_t kRebias = (127u - 15u) << 23;
  const uint32_t moved = static_cast<uint32_t>(h & 0x7fff) << 13;
  const uint32_t exponent = moved & kExponent;
  const uint32_t normal = moved + kRebias + (exponent == kExponent ? kRebias : 0);
  // A subnormal gets an implicit one by way of exponent 1, which the subtraction of 2^-14 takes off again.
  const float small = std::bit_cast<float>(moved + kRebias + (1u << 23)) - 0x1p-14f;
  const uint32_t magnitude = exponent == 0 ? std::bit_cast<uint32_t>(small) : normal;
  return std::bit_cast<float>(magnitude | static_cast<uint32_t>(h & 0x8000) << 16);
}

inline uint16_t float_to_half(float f) {
  const uint32_t bits = std::bit_cast<uint32_t>(f);
  const uint32_t x = bits & 0x7fffffff;
  const uint32_t sign = bits >> 16 & 0x8000;
  // Below 2^-14: adding 0.5, whose last place is 2^-24, lets the FPU round to half's subnormals.
  const uint32_t small = std::bit_cast<uint32_t>(std::bit_cast<float>(x) + 0.5f) - 0x3f000000;
  // Normal: rebias the exponent and round half to even; 65520 and above carry into infinity.
  const uint32_t normal = (x - (112u << 23) + 0xfff + (x >> 13 & 1)) >> 13;
  const uint32_t payload = x >> 13 & 0x3ff;
  const uint32_t special = x > 0x7f800000 ? (0x7c00 | (payload ? payload : 0x200)) : 0x7c00;
  return static_cast<uint16_t>(sign | (x >= 0x47800000 ? special : x < 0x38800000 ? small : normal));
}

inline float bf16_to_float(uint16_t b) { return std::bit_cast<float>(static_cast<uint32_t>(b) << 16); }

inline uint16_t float_to_bf16(float f) {
  const uint32_t bits = std::bit_cast<uint32_t>(f);
  const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const uint32_t nan = bits >> 16 | ((bits & 0x7f0000) ? 0 : 0x40);  // a payload only in the lost bits turns quiet
  return static_cast<uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded);
}

}  // namespace ingot
