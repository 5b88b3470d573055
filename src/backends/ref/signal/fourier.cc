// DFT and STFT. Any length takes O(n log n): powers of two by halving (Cooley, Tukey 1965), others as a convolution
// of such a length (Bluestein 1970).
#include <complex>
#include <numbers>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"
#include "backends/ref/reals.h"

namespace ingot {
namespace {

using Complex = std::complex<double>;
using Signal = std::vector<Complex>;

// e^(i pi numerator / denominator)
Complex turn(int64_t numerator, int64_t denominator) {
  return std::polar(1.0, std::numbers::pi * static_cast<double>(numerator) / static_cast<double>(denominator));
}

// Sum of x[k] e^(sign 2 pi i k n / N); N a power of two.
Signal transform_power_of_two(const Signal& x, int sign) {
  const size_t n = x.size();
  if (n == 1) return x;
  Signal even, odd;
  for (size_t k = 0; k < n; k += 2) {
    even.push_back(x[k]);
    odd.push_back(x[k + 1]);
  }
  even = transform_power_of_two(even, sign);
  odd = transform_power_of_two(odd, sign);
  Signal out(n);
  for (size_t k = 0; k < n / 2; ++k) {
    const Complex t = turn(sign * static_cast<int64_t>(2 * k), static_cast<int64_t>(n)) * odd[k];
    out[k] = even[k] + t;
    out[k + n / 2] = even[k] - t;
  }
  return out;
}

Signal transform(const Signal& x, int sign) {
  const size_t n = x.size();
  size_t padded = 1;
  while (padded < 2 * n - 1) padded *= 2;
  if ((n & (n - 1)) == 0) return transform_power_of_two(x, sign);
  Signal chirp(n), a(padded), b(padded);
  for (size_t k = 0; k < n; ++k) {
    chirp[k] = turn(sign * static_cast<int64_t>(k * k % (2 * n)), static_cast<int64_t>(n));
    a[k] = x[k] * chirp[k];
    b[k] = b[(padded - k) % padded] = std::conj(chirp[k]);
  }
  a = transform_power_of_two(a, 1);
  b = transform_power_of_two(b, 1);
  for (size_t k = 0; k < padded; ++k) a[k] *= b[k];
  a = transform_power_of_two(a, -1);
  Signal out(n);
  for (size_t k = 0; k < n; ++k) out[k] = a[k] / static_cast<double>(padded) * chirp[k];
  return out;
}

}  // namespace

void ref_DFT(KernelContext& c) {
  const TensorView& x = c.in(0);
  const TensorRef& y = c.out(0);
  const bool inverse = c.node.attributes.get_int("inverse") != 0, half = c.node.attributes.get_int("onesided") != 0;
  const int64_t axis_given = c.has_input(2) ? index_at(c.in(2), 0) : -2;
  const int axis = static_cast<int>(axis_given < 0 ? axis_given + x.shape.rank() : axis_given);
  const int64_t parts = x.shape.at(-1), out_parts = y.shape.at(-1);
  const AxisView in(x.shape, axis), out(y.shape, axis);
  const int64_t n = c.has_input(1) ? index_at(c.in(1), 0) : inverse && half ? 2 * (in.size - 1) : in.size;
  const int64_t read = std::min(in.size, inverse && half ? n / 2 + 1 : n);
  const auto values = reals_of(x);
  for (int64_t o = 0; o < in.outer; ++o)
    for (int64_t i = 0; i < in.inner / parts; ++i) {
      Signal signal(static_cast<size_t>(n));
      for (int64_t k = 0; k < read; ++k) {
        const size_t at = static_cast<size_t>((o * in.size + k) * in.inner + i * parts);
        signal[static_cast<size_t>(k)] = {values[at], parts == 2 ? values[at + 1] : 0};
      }
      // The other half of a real signal's spectrum mirrors the first.
      for (int64_t k = 1; inverse && half && k < (n + 1) / 2; ++k)
        signal[static_cast<size_t>(n - k)] = std::conj(signal[static_cast<size_t>(k)]);
      signal = transform(signal, inverse ? 1 : -1);
      for (int64_t k = 0; k < out.size; ++k) {
        const Complex v = signal[static_cast<size_t>(k)] / (inverse ? static_cast<double>(n) : 1.0);
        const int64_t at = (o * out.size + k) * out.inner + i * out_parts;
        store_real(y, at, v.real());
        if (out_parts == 2) store_real(y, at + 1, v.imag());
      }
    }
}

void ref_STFT(KernelContext& c) {
  const Shape &in = c.in(0).shape, &out = c.out(0).shape;
  const int64_t parts = in[2], step = index_at(c.in(1), 0);
  const int64_t length = c.has_input(3) ? index_at(c.in(3), 0) : c.has_input(2) ? c.in(2).num_elements() : in[1];
  const auto x = reals_of(c.in(0)), window = c.has_input(2) ? reals_of(c.in(2)) : std::vector<double>{};
  for (int64_t b = 0; b < in[0]; ++b)
    for (int64_t f = 0; f < out[1]; ++f) {
      Signal signal(static_cast<size_t>(length));
      for (int64_t k = 0; k < length; ++k) {
        const size_t at = static_cast<size_t>((b * in[1] + f * step + k) * parts);
        signal[static_cast<size_t>(k)] =
            Complex(x[at], parts == 2 ? x[at + 1] : 0) * (window.empty() ? 1.0 : window[static_cast<size_t>(k)]);
      }
      signal = transform(signal, -1);
      for (int64_t k = 0; k < out[2]; ++k) {
        const int64_t at = ((b * out[1] + f) * out[2] + k) * 2;
        store_real(c.out(0), at, signal[static_cast<size_t>(k)].real());
        store_real(c.out(0), at + 1, signal[static_cast<size_t>(k)].imag());
      }
    }
}

}  // namespace ingot
