// Convolutions over any number of spatial dimensions, straight from the definition; sums in double.
#include <algorithm>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"
#include "backends/ref/nn/activation.h"
#include "ir/window.h"

namespace ingot {
namespace {

using Strides = std::array<int64_t, limits::kRankMax>;

Shape spatial(const Shape& s) { return Shape(s.dims().subspan(2)); }

// The node's window for these shapes, pads resolved. Inference accepted the attributes.
Window window_of(const KernelContext& c, const Shape& in, const Shape& weight) {
  std::vector<int64_t> kernel(weight.dims().begin() + 2, weight.dims().end());
  auto w = parse_window(c.node.attributes, in.rank() - 2, std::move(kernel));
  INGOT_CHECK(w.has_value());
  w->resolve_pads(in.dims().data() + 2);
  return *std::move(w);
}

// For each output position and kernel position: visit(output offset, kernel offset, input offset) where the
// input position out * stride + k * dilation - pad is inside.
template <class F>
void for_each_tap(const Window& w, const Shape& out, const Shape& in, F visit) {
  const Shape kernel(w.kernel);
  const Strides so = strides_of(out), sk = strides_of(kernel), si = strides_of(in);
  for (int64_t o = 0; o < out.num_elements(); ++o)
    for (int64_t k = 0; k < kernel.num_elements(); ++k) {
      int64_t from = 0;
      bool inside = true;
      for (int d = 0; d < out.rank() && inside; ++d) {
        const size_t at = static_cast<size_t>(d);
        const int64_t p =
            o / so[at] % out[d] * w.strides[at] + k / sk[at] % kernel[d] * w.dilations[at] - w.pads_begin[at];
        inside = p >= 0 && p < in[d];
        from += p * si[at];
      }
      if (inside) visit(o, k, from);
    }
}

// sums(n, m)[o] over the group's channels of load_x * load_w; then write(n, m, o, sum).
template <class Acc, class X, class W, class Write>
void convolve(KernelContext& c, X load_x, W load_w, Write write) {
  const Shape &xs = c.in(0).shape, &ws = c.in(1).shape, &ys = c.out(0).shape;
  const Window window = window_of(c, xs, ws);
  const int64_t group = c.node.attributes.get_int("group", 1), per_group = ws[1], maps = ws[0] / group;
  const Shape out = spatial(ys), in = spatial(xs);
  const int64_t in_size = in.num_elements(), kernel_size = ws.product(2, ws.rank());
  std::vector<Acc> sums(static_cast<size_t>(out.num_elements()));
  for (int64_t n = 0; n < ys[0]; ++n)
    for (int64_t m = 0; m < ys[1]; ++m) {
      std::fill(sums.begin(), sums.end(), Acc(0));
      const int64_t x0 = (n * xs[1] + m / maps * per_group) * in_size, w0 = m * per_group * kernel_size;
      for_each_tap(window, out, in, [&](int64_t o, int64_t k, int64_t from) {
        Acc& sum = sums[static_cast<size_t>(o)];
        for (int64_t ch = 0; ch < per_group; ++ch)
          sum += load_x(x0 + ch * in_size + from) * load_w(m, w0 + ch * kernel_size + k);
      });
      for (size_t o = 0; o < sums.size(); ++o)
        write(m, (n * ys[1] + m) * out.num_elements() + static_cast<int64_t>(o), sums[o]);
    }
}

void float_conv(KernelContext& c, const Activation& activation) {
  dispatch_float(c, c.in(0).dtype, [&]<class T>() {
    const T *bias = c.has_input(2) ? c.in(2).as<T>() : nullptr, *residual = c.has_input(3) ? c.in(3).as<T>() : nullptr;
    convolve<double>(
        c, [&](int64_t i) { return static_cast<double>(c.in(0).as<T>()[i]); },
        [&](int64_t, int64_t i) { return static_cast<double>(c.in(1).as<T>()[i]); },
        [&](int64_t m, int64_t i, double sum) {
          if (bias) sum += static_cast<double>(bias[m]);
          if (residual) sum += static_cast<double>(residual[i]);
          c.out(0).as<T>()[i] = static_cast<T>(static_cast<Compute<T>>(activation(sum)));
        });
  });
}

int32_t byte_at(const TensorView& t, int64_t i) {
  return t.dtype == DType::kI8 ? t.as<int8_t>()[i] : t.as<uint8_t>()[i];
}

}  // namespace

void ref_Conv(KernelContext& c) { float_conv(c, Activation(Attributes{})); }

void ref_FusedConv(KernelContext& c) {
  if (c.has_input(3) && !(c.in(3).shape == c.out(0).shape)) return invalid_data(c, "the residual has another shape");
  float_conv(c, Activation(c.node.attributes));
}

void ref_ConvInteger(KernelContext& c) {
  for (int i = 0; i < 2; ++i)
    if (c.in(i).dtype != DType::kI8 && c.in(i).dtype != DType::kU8) return unsupported_type(c, c.in(i).dtype);
  const int32_t x_zero = c.has_input(2) ? byte_at(c.in(2), 0) : 0;
  const auto w_zero = [&](int64_t m) {
    return c.has_input(3) ? byte_at(c.in(3), c.in(3).num_elements() == 1 ? 0 : m) : 0;
  };
  convolve<int32_t>(
      c, [&](int64_t i) { return byte_at(c.in(0), i) - x_zero; },
      [&](int64_t m, int64_t i) { return byte_at(c.in(1), i) - w_zero(m); },
      [&](int64_t, int64_t i, int32_t sum) { c.out(0).as<int32_t>()[i] = sum; });
}

namespace {

// The gradient of Conv: input and output change places in for_each_tap. With output_shape or SAME, the
// padding follows from the output size.
Window transposed_window(const KernelContext& c, const Shape& in, const Shape& out) {
  const Shape& weight = c.in(1).shape;
  std::vector<int64_t> kernel(weight.dims().begin() + 2, weight.dims().end());
  auto w = parse_window(c.node.attributes, in.rank() - 2, std::move(kernel));
  INGOT_CHECK(w.has_value());
  const std::vector<int64_t> extra = c.node.attributes.get_ints("output_padding");
  const bool same = w->auto_pad == AutoPad::kSameUpper || w->auto_pad == AutoPad::kSameLower;
  if (!same && c.node.attributes.get_ints("output_shape").empty()) return *std::move(w);
  for (size_t d = 0; d < w->kernel.size(); ++d) {
    const int at = static_cast<int>(d) + 2;
    const int64_t whole = (in[at] - 1) * w->strides[d] + w->extent(d) + (extra.empty() ? 0 : extra[d]);
    const int64_t total = std::max<int64_t>(0, whole - out[at]);
    w->pads_begin[d] = w->auto_pad == AutoPad::kSameUpper ? total / 2 : total - total / 2;
  }
  return *std::move(w);
}

}  // namespace

void ref_ConvTranspose(KernelContext& c) {
  const Shape &xs = c.in(0).shape, &ws = c.in(1).shape, &ys = c.out(0).shape;
  const Window window = transposed_window(c, xs, ys);
  const int64_t group = c.node.attributes.get_int("group", 1), maps = ws[1], channels = xs[1] / group;
  const Shape out = spatial(ys), in = spatial(xs);
  const int64_t out_size = out.num_elements(), in_size = in.num_elements(), kernel_size = ws.product(2, ws.rank());
  dispatch_float(c, c.in(0).dtype, [&]<class T>() {
    const T *x = c.in(0).as<T>(), *w = c.in(1).as<T>(), *bias = c.has_input(2) ? c.in(2).as<T>() : nullptr;
    std::vector<double> sums(static_cast<size_t>(out_size));
    for (int64_t n = 0; n < ys[0]; ++n)
      for (int64_t m = 0; m < ys[1]; ++m) {
        std::fill(sums.begin(), sums.end(), bias ? static_cast<double>(bias[m]) : 0.0);
        const int64_t first = m / maps * channels;
        for_each_tap(window, in, out, [&](int64_t i, int64_t k, int64_t to) {
          for (int64_t ch = first; ch < first + channels; ++ch)
            sums[static_cast<size_t>(to)] += static_cast<double>(x[(n * xs[1] + ch) * in_size + i]) *
                                             static_cast<double>(w[(ch * maps + m % maps) * kernel_size + k]);
        });
        T* y = c.out(0).as<T>() + (n * ys[1] + m) * out_size;
        for (int64_t i = 0; i < out_size; ++i)
          y[i] = static_cast<T>(static_cast<Compute<T>>(sums[static_cast<size_t>(i)]));
      }
  });
}

}  // namespace ingot
