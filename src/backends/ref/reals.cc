#include "backends/ref/reals.h"

#include <algorithm>
#include <cmath>

#include "backends/ref/elementwise/number.h"

namespace ingot {

std::vector<double> reals_of(const TensorView& t) {
  if (!t.data) return {};
  std::vector<double> out(static_cast<size_t>(t.num_elements()));
  const bool plain = dispatch_if_float(t.dtype, [&]<class T>() {
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<double>(t.as<T>()[i]);
  });
  if (!plain)
    for (size_t i = 0; i < out.size(); ++i) out[i] = load_number(t, static_cast<int64_t>(i)).real;
  return out;
}

void store_real(const TensorRef& t, int64_t i, double value) {
  if (dispatch_if_float(t.dtype, [&]<class T>() { t.as<T>()[i] = static_cast<T>(static_cast<Compute<T>>(value)); }))
    return;
  if (is_small_float(t.dtype)) return store_number(t, i, {.real = value}, true);
  const auto [low, high] = integer_range(t.dtype);
  const double v = std::clamp(std::nearbyint(value), static_cast<double>(low), static_cast<double>(high));
  // 2^63, what INT64_MAX becomes as a double, is no int64.
  const int64_t integer = std::isnan(v) ? 0 : v >= 0x1p63 ? high : static_cast<int64_t>(v);
  store_number(t, i, {.real = v, .integer = integer, .integral = true}, true);
}

void store_reals(const TensorRef& t, std::span<const double> values) {
  for (size_t i = 0; i < values.size(); ++i) store_real(t, static_cast<int64_t>(i), values[i]);
}

}  // namespace ingot
