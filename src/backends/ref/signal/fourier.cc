// DFT and STFT. A length of small prime factors is divided by them one after the other (Cooley, Tukey 1965); any other
// becomes a convolution of such a length (Bluestein 1970).
#include <complex>
#include <numbers>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"
#include "backends/ref/reals.h"

namespace ingot {
namespace {

constexpr size_t kFactorMax = 61;  // larger primes cost more by division than as a convolution

template <class T>
using Signal = std::vector<std::complex<T>>;

// e^(i pi numerator / denominator)
template <class T>
std::complex<T> turn(int64_t numerator, int64_t denominator) {
  return std::complex<T>(
      std::polar(1.0, std::numbers::pi * static_cast<double>(numerator) / static_cast<double>(denominator)));
}

size_t smallest_factor(size_t n) {
  for (size_t f = 2; f <= kFactorMax; ++f)
    if (n % f == 0) return f;
  return n;
}

// The transform of a few elements, a prime number of them, in place: elements j and r - j share their cosines and
// sines.
template <class T>
void transform_prime(Signal<T>& x, int sign) {
  const size_t r = x.size();
  if (r == 2) {
    const std::complex<T> a = x[0], b = x[1];
    x = {a + b, a - b};
    return;
  }
  Signal<T> out(r, x[0]);
  for (size_t j = 1; j <= r / 2; ++j) out[0] += x[j] + x[r - j];
  for (size_t k = 1; k <= r / 2; ++k) {
    std::complex<T> even = x[0], odd = 0;
    for (size_t j = 1; j <= r / 2; ++j) {
      const std::complex<T> w = turn<T>(sign * static_cast<int64_t>(2 * (j * k % r)), static_cast<int64_t>(r));
      even += w.real() * (x[j] + x[r - j]);
      odd += w.imag() * (x[j] - x[r - j]);
    }
    out[k] = even + std::complex<T>(-odd.imag(), odd.real());
    out[r - k] = even - std::complex<T>(-odd.imag(), odd.real());
  }
  x = std::move(out);
}

// Sum of x[k] e^(sign 2 pi i k n / N) where N has only small prime factors.
template <class T>
Signal<T> transform_factors(const Signal<T>& x, int sign) {
  const size_t n = x.size(), r = smallest_factor(n), m = n / std::max<size_t>(r, 1);
  if (n == 1) return x;
  std::vector<Signal<T>> parts(r, Signal<T>(m));
  Signal<T> few(r), out(n);
  for (size_t i = 0; i < m; ++i) {
    few.resize(r);
    for (size_t j = 0; j < r; ++j) few[j] = x[i + j * m];
    transform_prime(few, sign);
    for (size_t k = 0; k < r; ++k)
      parts[k][i] = few[k] * turn<T>(sign * static_cast<int64_t>(2 * i * k), static_cast<int64_t>(n));
  }
  for (size_t k = 0; k < r; ++k) {
    parts[k] = transform_factors(parts[k], sign);
    for (size_t q = 0; q < m; ++q) out[k + r * q] = parts[k][q];
  }
  return out;
}

template <class T>
Signal<T> transform(const Signal<T>& x, int sign) {
  const size_t n = x.size();
  size_t rest = n, padded = 1;
  for (size_t f = smallest_factor(rest); f <= kFactorMax && rest > 1; f = smallest_factor(rest)) rest /= f;
  if (rest == 1) return transform_factors(x, sign);
  while (padded < 2 * n - 1) padded *= 2;
  Signal<double> chirp(n), a(padded), b(padded);
  for (size_t k = 0; k < n; ++k) {
    chirp[k] = turn<double>(sign * static_cast<int64_t>(k * k % (2 * n)), static_cast<int64_t>(n));
    a[k] = std::complex<double>(x[k]) * chirp[k];
    b[k] = b[(padded - k) % padded] = std::conj(chirp[k]);
  }
  a = transform_factors(a, 1);
  b = transform_factors(b, 1);
  for (size_t k = 0; k < padded; ++k) a[k] *= b[k];
  a = transform_factors(a, -1);
  Signal<T> out(n);
  for (size_t k = 0; k < n; ++k) out[k] = std::complex<T>(a[k] / static_cast<double>(padded) * chirp[k]);
  return out;
}

// Real signals are transformed in double, complex ones in the precision of their type, as NumPy does, which made the
// standard's expected results: where a sum cancels they hold its rounding errors.
bool single(const KernelContext& c) { return c.in(0).dtype != DType::kF64 && c.in(0).shape.at(-1) == 2; }

template <class T>
void dft(KernelContext& c) {
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
      Signal<T> signal(static_cast<size_t>(n));
      for (int64_t k = 0; k < read; ++k) {
        const size_t at = static_cast<size_t>((o * in.size + k) * in.inner + i * parts);
        signal[static_cast<size_t>(k)] = {static_cast<T>(values[at]), static_cast<T>(parts == 2 ? values[at + 1] : 0)};
      }
      // The other half of a real signal's spectrum mirrors the first.
      for (int64_t k = 1; inverse && half && k < (n + 1) / 2; ++k)
        signal[static_cast<size_t>(n - k)] = std::conj(signal[static_cast<size_t>(k)]);
      signal = transform(signal, inverse ? 1 : -1);
      for (int64_t k = 0; k < out.size; ++k) {
        const std::complex<T> v = signal[static_cast<size_t>(k)] * (inverse ? 1 / static_cast<T>(n) : 1);
        const int64_t at = (o * out.size + k) * out.inner + i * out_parts;
        store_real(y, at, v.real());
        if (out_parts == 2) store_real(y, at + 1, v.imag());
      }
    }
}

template <class T>
void stft(KernelContext& c) {
  const Shape &in = c.in(0).shape, &out = c.out(0).shape;
  const int64_t parts = in[2], step = index_at(c.in(1), 0);
  const int64_t length = c.has_input(3) ? index_at(c.in(3), 0) : c.has_input(2) ? c.in(2).num_elements() : in[1];
  const auto x = reals_of(c.in(0)), window = c.has_input(2) ? reals_of(c.in(2)) : std::vector<double>{};
  for (int64_t b = 0; b < in[0]; ++b)
    for (int64_t f = 0; f < out[1]; ++f) {
      Signal<T> signal(static_cast<size_t>(length));
      for (int64_t k = 0; k < length; ++k) {
        const size_t at = static_cast<size_t>((b * in[1] + f * step + k) * parts);
        const double weight = window.empty() ? 1 : window[static_cast<size_t>(k)];
        signal[static_cast<size_t>(k)] = {static_cast<T>(x[at] * weight),
                                          static_cast<T>(parts == 2 ? x[at + 1] * weight : 0)};
      }
      signal = transform(signal, -1);
      for (int64_t k = 0; k < out[2]; ++k) {
        const int64_t at = ((b * out[1] + f) * out[2] + k) * 2;
        store_real(c.out(0), at, signal[static_cast<size_t>(k)].real());
        store_real(c.out(0), at + 1, signal[static_cast<size_t>(k)].imag());
      }
    }
}

}  // namespace

void ref_DFT(KernelContext& c) { single(c) ? dft<float>(c) : dft<double>(c); }
void ref_STFT(KernelContext& c) { single(c) ? stft<float>(c) : stft<double>(c); }

}  // namespace ingot
