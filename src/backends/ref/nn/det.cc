// Det.
#include <cmath>

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

}  // namespace ingot
