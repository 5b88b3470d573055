// Pooling over any number of spatial dimensions; LRN.
#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"
#include "ir/window.h"

namespace ingot {
namespace {

Window window_of(const KernelContext& c) {
  const Shape& in = c.in(0).shape;
  auto w = parse_window(c.node.attributes, in.rank() - 2, {});
  INGOT_CHECK(w.has_value());
  w->resolve_pads(in.dims().data() + 2);
  return *std::move(w);
}

// visit(input offset or -1, in padding?) for each tap of output position o. A tap past even the padding
// (ceil_mode) is not visited.
template <class F>
void for_each_tap(const Window& w, const Shape& in, const Shape& out, int64_t o, F visit) {
  const Shape kernel(w.kernel);
  const auto so = strides_of(out), sk = strides_of(kernel), si = strides_of(in);
  for (int64_t k = 0; k < kernel.num_elements(); ++k) {
    int64_t from = 0;
    bool inside = true, counted = true;
    for (int d = 0; d < out.rank(); ++d) {
      const size_t at = static_cast<size_t>(d);
      const int64_t p =
          o / so[at] % out[d] * w.strides[at] + k / sk[at] % kernel[d] * w.dilations[at] - w.pads_begin[at];
      inside &= p >= 0 && p < in[d];
      counted &= p < in[d] + w.pads_end[at];
      from += p * si[at];
    }
    if (counted) visit(inside ? from : -1);
  }
}

}  // namespace

void ref_MaxPool(KernelContext& c) {
  const Window w = window_of(c);
  const Shape &xs = c.in(0).shape, in(xs.dims().subspan(2)), out(c.out(0).shape.dims().subspan(2));
  const bool column_major = c.node.attributes.get_int("storage_order") != 0;
  const int64_t in_size = in.num_elements(), out_size = out.num_elements();
  // A flat input offset as storage_order counts it.
  const auto numbered = [&](int64_t from) {
    if (!column_major) return from;
    const auto si = strides_of(in);
    int64_t result = 0, scale = 1;
    for (int d = 0; d < in.rank(); ++d) {
      result += from / si[static_cast<size_t>(d)] % in[d] * scale;
      scale *= in[d];
    }
    return result;
  };
  dispatch_number(c, c.in(0).dtype, [&]<class T>() {
    for (int64_t plane = 0; plane < xs[0] * xs[1]; ++plane)
      for (int64_t o = 0; o < out_size; ++o) {
        const T* x = c.in(0).as<T>() + plane * in_size;
        int64_t best = -1;
        for_each_tap(w, in, out, o, [&](int64_t from) {
          if (from < 0) return;
          const auto v = Compute<T>(x[from]);
          // NaN wins: a window that holds one has no maximum.
          if (best < 0 || v > Compute<T>(x[best]) || (v != v && Compute<T>(x[best]) == Compute<T>(x[best])))
            best = from;
        });
        if (c.has_output(0)) c.out(0).as<T>()[plane * out_size + o] = best < 0 ? T(0) : x[best];
        if (c.has_output(1)) c.out(1).as<int64_t>()[plane * out_size + o] = plane * in_size + numbered(best);
      }
  });
}

namespace {

// Each window's result: of_window(for_taps), where for_taps(f) calls f(inside, value) at each tap; padding is 0.
template <class OfWindow>
void pool_windows(KernelContext& c, OfWindow of_window) {
  const Window w = window_of(c);
  const Shape &xs = c.in(0).shape, in(xs.dims().subspan(2)), out(c.out(0).shape.dims().subspan(2));
  dispatch_float(c, c.in(0).dtype, [&]<class T>() {
    T* y = c.out(0).as<T>();
    for (int64_t plane = 0; plane < xs[0] * xs[1]; ++plane)
      for (int64_t o = 0; o < out.num_elements(); ++o) {
        const T* x = c.in(0).as<T>() + plane * in.num_elements();
        const double found = of_window([&](auto tap) {
          for_each_tap(w, in, out, o,
                       [&](int64_t from) { tap(from >= 0, from >= 0 ? static_cast<double>(x[from]) : 0.0); });
        });
        *y++ = static_cast<T>(static_cast<Compute<T>>(found));
      }
  });
}

}  // namespace

void ref_AveragePool(KernelContext& c) {
  const bool with_padding = c.node.attributes.get_int("count_include_pad") != 0;
  pool_windows(c, [&](auto for_taps) {
    double sum = 0;
    int64_t count = 0;
    for_taps([&](bool inside, double v) {
      sum += v;
      count += inside || with_padding;
    });
    return count ? sum / static_cast<double>(count) : 0;
  });
}

// The p-norm of each window; padding counts as zeros.
void ref_LpPool(KernelContext& c) {
  const double p = static_cast<double>(c.node.attributes.get_int("p", 2));
  pool_windows(c, [&](auto for_taps) {
    double sum = 0;
    for_taps([&](bool, double v) { sum += std::pow(std::fabs(v), p); });
    return std::pow(sum, 1 / p);
  });
}

namespace {

template <class F>
void global_pool(KernelContext& c, F of_plane) {
  const Shape& s = c.in(0).shape;
  const int64_t size = s.product(2, s.rank());
  dispatch_float(c, c.in(0).dtype, [&]<class T>() {
    for (int64_t plane = 0; plane < s[0] * s[1]; ++plane)
      c.out(0).as<T>()[plane] = static_cast<T>(static_cast<Compute<T>>(of_plane(c.in(0).as<T>() + plane * size, size)));
  });
}

}  // namespace

void ref_GlobalAveragePool(KernelContext& c) {
  global_pool(c, [](const auto* x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]);
    return sum / static_cast<double>(n);
  });
}

void ref_GlobalMaxPool(KernelContext& c) {
  global_pool(c, [](const auto* x, int64_t n) {
    double best = -std::numeric_limits<double>::infinity();
    for (int64_t i = 0; i < n; ++i) best = std::max(best, static_cast<double>(x[i]));
    return best;
  });
}

// y = x / (bias + alpha / size * sum of squares over `size` neighbouring channels) ^ beta
void ref_LRN(KernelContext& c) {
  const Attributes& a = c.node.attributes;
  const int64_t size = std::max<int64_t>(1, a.get_int("size", 1));
  const double alpha = a.get_float("alpha", 1e-4f), beta = a.get_float("beta", 0.75f), bias = a.get_float("bias", 1);
  if (c.in(0).shape.rank() < 2) return invalid_data(c, "the input has no channels");
  const AxisView v(c.in(0).shape, 1);
  dispatch_float(c, c.in(0).dtype, [&]<class T>() {
    const T* x = c.in(0).as<T>();
    for (int64_t o = 0; o < v.outer; ++o)
      for (int64_t ch = 0; ch < v.size; ++ch)
        for (int64_t i = 0; i < v.inner; ++i) {
          double sum = 0;
          const int64_t end = std::min(v.size - 1, ch + size / 2);
          for (int64_t j = std::max<int64_t>(0, ch - (size - 1) / 2); j <= end; ++j) {
            const double value = static_cast<double>(x[(o * v.size + j) * v.inner + i]);
            sum += value * value;
          }
          const int64_t at = (o * v.size + ch) * v.inner + i;
          c.out(0).as<T>()[at] = static_cast<T>(static_cast<Compute<T>>(
              static_cast<double>(x[at]) / std::pow(bias + alpha / static_cast<double>(size) * sum, beta)));
        }
  });
}

}  // namespace ingot
