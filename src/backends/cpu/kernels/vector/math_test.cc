// The bounds that math.inc states, where no kernel shows them (rows_test.cc has silu, the gelus, sin and cos): in the
// portable form, whose products and sums round twice.
// clang-format off: the order matters
#include "backends/cpu/kernels/vector/vec_baseline.inc"
#include "backends/cpu/kernels/vector/math.inc"
// clang-format on
#include <gtest/gtest.h>

#include <cmath>

namespace ingot::cpu {
namespace {

// The largest error of f in units in the last place over [low, high] and over magnitudes from 2^-126 up.
template <class F, class Exact>
double largest_error(F f, Exact exact, double low, double high) {
  double largest = 0;
  const auto look = [&](double at) {
    const float x = static_cast<float>(at);
    if (x < low || x > high) return;
    const double want = exact(static_cast<double>(x)), unit = std::ldexp(1.0, std::max(std::ilogb(want), -126) - 23);
    largest = std::max(largest, std::fabs(static_cast<double>(f(Vec::set(x))[0]) - want) / unit);
  };
  for (int i = 0; i <= 2000000; ++i) look(low + (high - low) * i / 2000000);
  for (double x = 0x1p-126; x < std::max(high, -low); x *= 1.01) look(x), look(-x);
  return largest;
}

TEST(VectorMath, is_within_the_stated_units_in_the_last_place) {
  EXPECT_LE(largest_error([](Vec::F x) { return exp2_not_large(x); }, [](double x) { return std::exp2(x); }, -126, 127),
            2);
  EXPECT_LE(largest_error([](Vec::F x) { return exp_not_large(x); }, [](double x) { return std::exp(x); }, -87, 88), 2);
  EXPECT_LE(largest_error([](Vec::F x) { return tanh(x); }, [](double x) { return std::tanh(x); }, -20, 20), 3);
}

TEST(VectorMath, makes_what_is_below_normal_numbers_zero_and_keeps_nan) {
  EXPECT_EQ(exp2_not_large(Vec::set(-126.5f))[0], 0);
  EXPECT_EQ(exp_not_large(Vec::set(-1e30f))[0], 0);
  for (const float y : {exp2_not_large(Vec::set(std::nanf("")))[0], exp_not_large(Vec::set(std::nanf("")))[0]})
    EXPECT_TRUE(std::isnan(y));
}

}  // namespace
}  // namespace ingot::cpu
