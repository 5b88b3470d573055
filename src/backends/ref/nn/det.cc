// Det, and Dropout as training does it.
#include <cmath>
#include <random>

#include "backends/ref/kernels.h"
#include "backends/ref/reals.h"

namespace ingot {

// By elimination with the largest pivot of each column.
void ref_Det(KernelContext& c) {
  const int64_t n = c.in(0).shape.at(-1);
  const auto x = reals_of(c.in(0));
  for (int64_t m = 0; m < c.out(0).num_elements(); ++m) {
    std::vector<double> a(x.begin() + m * n * n, x.begin() + (m + 1) * n * n);
    const auto at = [&](int64_t row, int64_t column) -> double& { return a[static_cast<size_t>(row * n + column)]; };
    double product = 1;
    for (int64_t k = 0; k < n; ++k) {
      int64_t pivot = k;
      for (int64_t i = k + 1; i < n; ++i)
        if (std::fabs(at(i, k)) > std::fabs(at(pivot, k))) pivot = i;
      for (int64_t j = 0; pivot != k && j < n; ++j) std::swap(at(k, j), at(pivot, j));
      product *= (pivot == k ? 1 : -1) * at(k, k);
      for (int64_t i = k + 1; i < n && at(k, k) != 0; ++i) {
        const double factor = at(i, k) / at(k, k);
        for (int64_t j = k; j < n; ++j) at(i, j) -= factor * at(k, j);
      }
    }
    store_real(c.out(0), m, product);
  }
}

// Without training: the input, and a mask of ones. With it: each element is dropped with probability `ratio`, the
// rest grow to make up for it; the Mersenne twister draws the 53 bits of a double from two of its numbers.
void ref_Dropout(KernelContext& c) {
  const TensorView& x = c.in(0);
  const auto given = c.has_input(1) ? reals_of(c.in(1)) : std::vector<double>{};
  const double ratio = given.empty() ? 0.5 : given[0];
  const bool training = c.has_input(2) && *c.in(2).as<uint8_t>() != 0;
  if (!(ratio >= 0 && ratio < 1)) return invalid_data(c, fmt::format("ratio {} is not in [0, 1)", ratio));
  const Attributes& a = c.node.attributes;
  std::mt19937 generator(a.has("seed") ? static_cast<uint32_t>(a.get_int("seed")) : std::random_device()());
  const auto values = reals_of(x);
  for (size_t i = 0; i < values.size(); ++i) {
    bool keep = true;
    if (training && ratio > 0) {
      const uint32_t high = generator() >> 5, low = generator() >> 6;
      keep = (high * 0x1p26 + low) / 0x1p53 >= ratio;
    }
    const double scale = training ? 1 / (1 - ratio) : 1;
    store_real(c.out(0), static_cast<int64_t>(i), keep ? values[i] * scale : 0);
    if (c.has_output(1)) c.out(1).as<uint8_t>()[i] = keep;
  }
}

}  // namespace ingot
