// Every 16-bit float against the definition of its format, and every rounding border between them.
#include "tensor/half.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ingot {
namespace {

// sign, exponent, mantissa read as the standard says.
double defined_value(uint16_t bits, int mantissa_bits, int bias) {
  const int exponent_bits = 15 - mantissa_bits;
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const int exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1);
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) return mantissa ? NAN : sign * HUGE_VAL;
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp((1 << mantissa_bits) + mantissa, exponent - bias - mantissa_bits);
}

void expect_widens(float (*widen)(uint16_t), int mantissa_bits, int bias) {
  for (int i = 0; i < 65536; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    const double expected = defined_value(bits, mantissa_bits, bias);
    const float value = widen(bits);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << i;
    } else {
      ASSERT_EQ(value, expected) << i;
    }
    ASSERT_EQ(std::signbit(value), i >= 0x8000) << i;
  }
}

// Around the middle between each two neighbours: below, on (to the even one), above. `top` is the largest.
void expect_rounds_to_even(float (*widen)(uint16_t), uint16_t (*narrow)(float), uint16_t top) {
  for (uint16_t i = 0; i < top; ++i) {
    const auto next = static_cast<uint16_t>(i + 1);
    const double middle = (static_cast<double>(widen(i)) + widen(next)) / 2;
    const auto at = static_cast<float>(middle);
    if (at != middle) continue;  // not a float: bf16's subnormals have no such borders
    ASSERT_EQ(narrow(at), i % 2 ? next : i) << i;
    ASSERT_EQ(narrow(-at), (i % 2 ? next : i) | 0x8000) << i;
    ASSERT_EQ(narrow(std::nextafter(at, 0.0f)), i) << i;
    ASSERT_EQ(narrow(std::nextafter(at, HUGE_VALF)), next) << i;
  }
}

TEST(Half, every_half_widens_to_its_defined_value) { expect_widens(half_to_float, 10, 15); }
TEST(Half, every_bf16_widens_to_its_defined_value) { expect_widens(bf16_to_float, 7, 127); }

TEST(Half, every_value_survives_the_round_trip_with_its_bits) {
  for (int i = 0; i < 65536; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    ASSERT_EQ(float_to_half(half_to_float(bits)), bits);
    ASSERT_EQ(float_to_bf16(bf16_to_float(bits)), bits);
  }
}

TEST(Half, halves_round_to_nearest_even) { expect_rounds_to_even(half_to_float, float_to_half, 0x7bff); }
TEST(Half, bf16_rounds_to_nearest_even) { expect_rounds_to_even(bf16_to_float, float_to_bf16, 0x7f7f); }

TEST(Half, values_past_the_range_become_infinite_and_tiny_ones_zero) {
  EXPECT_EQ(float_to_half(65519.996f), 0x7bff);
  EXPECT_EQ(float_to_half(65520.0f), 0x7c00);
  EXPECT_EQ(float_to_half(-3e38f), 0xfc00);
  EXPECT_EQ(float_to_half(HUGE_VALF), 0x7c00);
  EXPECT_EQ(float_to_half(0x1p-25f), 0);
  EXPECT_EQ(float_to_half(std::nextafter(0x1p-25f, 1.0f)), 1);
  EXPECT_EQ(float_to_half(-1e-45f), 0x8000);
  EXPECT_EQ(float_to_bf16(3.4e38f), 0x7f80);
  EXPECT_EQ(float_to_bf16(-HUGE_VALF), 0xff80);
}

TEST(Half, a_nan_stays_a_nan_even_if_its_payload_is_lost) {
  const float low = std::bit_cast<float>(0xff800001u);
  EXPECT_TRUE(std::isnan(half_to_float(float_to_half(low))));
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(low))));
  EXPECT_TRUE(std::signbit(bf16_to_float(float_to_bf16(low))));
}

}  // namespace
}  // namespace ingot
