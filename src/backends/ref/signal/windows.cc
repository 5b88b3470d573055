// HannWindow, HammingWindow, BlackmanWindow: a0 - a1 cos(2 pi i / N) + a2 cos(4 pi i / N); MelWeightMatrix.
#include <cmath>
#include <numbers>

#include "backends/ref/kernels.h"
#include "backends/ref/reals.h"

namespace ingot {
namespace {

void cosine_window(KernelContext& c, double a0, double a1, double a2) {
  const TensorRef& y = c.out(0);
  const int64_t size = y.num_elements();
  const int64_t period = c.node.attributes.get_int("periodic", 1) ? size : size - 1;
  for (int64_t i = 0; i < size; ++i) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(period);
    const double v = period ? a0 - a1 * std::cos(angle) + a2 * std::cos(2 * angle) : 1;
    store_real(y, i, is_float(y.dtype) ? v : std::trunc(v));
  }
}

}  // namespace

void ref_HannWindow(KernelContext& c) { cosine_window(c, 0.5, 0.5, 0); }
void ref_HammingWindow(KernelContext& c) { cosine_window(c, 25.0 / 46, 21.0 / 46, 0); }
void ref_BlackmanWindow(KernelContext& c) { cosine_window(c, 0.42, 0.5, 0.08); }

// Triangles over the bins of a spectrum whose corners are evenly spaced on the mel scale, 2595 log10(1 + f / 700).
void ref_MelWeightMatrix(KernelContext& c) {
  const int64_t bins = index_at(c.in(0), 0), length = index_at(c.in(1), 0), rate = index_at(c.in(2), 0);
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double low = mel(reals_of(c.in(3))[0]), high = mel(reals_of(c.in(4))[0]);
  const int64_t rows = length / 2 + 1;
  std::vector<double> weights(static_cast<size_t>(rows * bins));
  std::vector<int64_t> corners;
  for (int64_t i = 0; i < bins + 2; ++i) {
    const double hertz =
        700 * (std::pow(10, (low + static_cast<double>(i) * (high - low) / static_cast<double>(bins + 2)) / 2595) - 1);
    const double bin = std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate));
    if (!(bin >= 0 && bin < static_cast<double>(rows)) || (i && static_cast<int64_t>(bin) < corners.back()))
      return invalid_data(c, fmt::format("edge {} of the mel bins lies at row {} of {}", i, bin, rows));
    corners.push_back(static_cast<int64_t>(bin));
  }
  for (int64_t i = 0; i < bins; ++i) {
    const int64_t left = corners[static_cast<size_t>(i)], center = corners[static_cast<size_t>(i + 1)],
                  right = corners[static_cast<size_t>(i + 2)];
    const auto weight = [&](int64_t row) -> double& { return weights[static_cast<size_t>(row * bins + i)]; };
    weight(center) = 1;
    for (int64_t j = left; j < center; ++j)
      weight(j) = static_cast<double>(j - left) / static_cast<double>(center - left);
    for (int64_t j = center; j < right; ++j)
      weight(j) = static_cast<double>(right - j) / static_cast<double>(right - center);
  }
  const bool whole = !is_float(c.out(0).dtype);
  for (size_t i = 0; i < weights.size(); ++i)
    store_real(c.out(0), static_cast<int64_t>(i), whole ? std::trunc(weights[i]) : weights[i]);
}

}  // namespace ingot
