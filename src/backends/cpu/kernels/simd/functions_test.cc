// The bounds that functions.inc states, in the portable form, whose products and sums round twice. The ops on every
// ISA are checked in ops/tensor_pointwise_test.cc.
// clang-format off: the order matters
#include "backends/cpu/kernels/simd/vec_baseline.inc"
#include "backends/cpu/kernels/simd/functions.inc"
// clang-format on
#include <gtest/gtest.h>

#include <cmath>

namespace ingot::simd_baseline {
namespace {

struct Errors {
  double absolute = 0, relative = 0;
};

// The largest errors of f in [low, high], by even steps and by even ratios.
template <class F, class Exact>
Errors errors(F f, Exact exact, double low, double high) {
  Errors e;
  const auto look = [&](double at) {
    const float x = static_cast<float>(at);
    if (x < low || x > high) return;
    const double want = exact(static_cast<double>(x)), error = std::fabs(static_cast<double>(f(Vec::set(x))[0]) - want);
    e.absolute = std::max(e.absolute, error);
    if (std::fabs(want) >= 0x1p-126) e.relative = std::max(e.relative, error / std::fabs(want));
  };
  for (int i = 0; i <= 2000000; ++i) look(low + (high - low) * i / 2000000);
  for (double x = 0x1p-126; x < std::max(high, -low); x *= 1.01) look(x), look(-x);
  return e;
}

TEST(SimdFunctions, are_within_the_stated_bounds) {
  const auto exp_of = [](Vec::F x) { return exp(x); };
  const Errors e = errors(exp_of, [](double x) { return std::exp(x); }, -87.3, 88.7);
  EXPECT_LE(e.relative, 2e-7);
  const auto log_of = [](Vec::F x) { return log(x); };
  const auto exact_log = [](double x) { return std::log(x); };
  const Errors tiny = errors(log_of, exact_log, 0x1p-126, 0.5), near = errors(log_of, exact_log, 0.5, 2),
               large = errors(log_of, exact_log, 2, 3e38);
  EXPECT_LE(tiny.relative, 2e-7);
  EXPECT_LE(large.relative, 2e-7);
  EXPECT_LE(near.absolute, 1e-7);
  const Errors t = errors([](Vec::F x) { return tanh(x); }, [](double x) { return std::tanh(x); }, -20, 20);
  EXPECT_LE(t.relative, 4e-7);
  const auto erf_of = [](Vec::F x) { return erf(x); };
  const auto exact_erf = [](double x) { return std::erf(x); };
  const Errors all = errors(erf_of, exact_erf, -12, 12), inner = errors(erf_of, exact_erf, -1, 1);
  EXPECT_LE(all.absolute, 3e-7);
  EXPECT_LE(inner.relative, 1e-6);
}

}  // namespace
}  // namespace ingot::simd_baseline
