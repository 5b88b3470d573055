// Softmax, LogSoftmax, Hardmax along one axis; sums in double, the maximum subtracted first.
#include <algorithm>
#include <cmath>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

// finish(x - max, exp(x - max), sum of the exponentials) for each element. 16-bit floats round after every step,
// as the operator's definition by simpler operators does; others only at the end.
template <class F>
void softmax(KernelContext& c, F finish) {
  const TensorView& x = c.in(0);
  const AxisView v(x.shape, axis_of(c, -1, x.shape.rank()));
  dispatch_float(c, x.dtype, [&]<class T>() {
    const auto rounded = [](double value) {
      return kIsSmallFloat<T> ? static_cast<double>(T(static_cast<Compute<T>>(value))) : value;
    };
    for (int64_t o = 0; o < v.outer; ++o)
      for (int64_t i = 0; i < v.inner; ++i) {
        const int64_t base = o * v.size * v.inner + i;
        const auto at = [&](int64_t j) { return static_cast<double>(x.as<T>()[base + j * v.inner]); };
        double max = v.size ? at(0) : 0, sum = 0;
        for (int64_t j = 1; j < v.size; ++j) max = std::max(max, at(j));
        const auto centered = [&](int64_t j) { return rounded(at(j) - max); };
        for (int64_t j = 0; j < v.size; ++j) sum += rounded(std::exp(centered(j)));
        for (int64_t j = 0; j < v.size; ++j)
          c.out(0).as<T>()[base + j * v.inner] = static_cast<T>(
              static_cast<Compute<T>>(finish(centered(j), rounded(std::exp(centered(j))), rounded(sum))));
      }
  });
}

}  // namespace

void ref_Softmax(KernelContext& c) {
  softmax(c, [](double, double exp, double sum) { return exp / sum; });
}

void ref_LogSoftmax(KernelContext& c) {
  softmax(c, [](double x, double, double sum) { return x - std::log(sum); });
}

// 1 at the first maximum, 0 elsewhere.
void ref_Hardmax(KernelContext& c) {
  const TensorView& x = c.in(0);
  const AxisView v(x.shape, axis_of(c, -1, x.shape.rank()));
  dispatch_float(c, x.dtype, [&]<class T>() {
    for (int64_t o = 0; o < v.outer; ++o)
      for (int64_t i = 0; i < v.inner; ++i) {
        const int64_t base = o * v.size * v.inner + i;
        int64_t best = 0;
        for (int64_t j = 1; j < v.size; ++j)
          if (Compute<T>(x.as<T>()[base + j * v.inner]) > Compute<T>(x.as<T>()[base + best * v.inner])) best = j;
        for (int64_t j = 0; j < v.size; ++j) c.out(0).as<T>()[base + j * v.inner] = T(j == best ? 1.0f : 0.0f);
      }
  });
}

}  // namespace ingot
