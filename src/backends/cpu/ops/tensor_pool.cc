// MaxPool, AveragePool and GlobalAveragePool on the CPU: float32, MaxPool bytes too, one or two spatial dimensions.
#include <algorithm>
#include <limits>

#include "backends/backend.h"
#include "backends/cpu/kernels/conv/conv.h"
#include "backends/cpu/kernels/pointwise/pointwise.h"
#include "backends/cpu/kernels/simd/float_isa.h"
#include "backends/cpu/ops/window_shape.h"

namespace ingot {
namespace {

struct Prepared {
  Window window;
  bool max = false, count_padding = false;
  Isa isa = Isa::kBaseline;
};

ConvShape shape_of(const Window& w, const Shape& in, const Shape& out) {
  ConvShape s{};
  s.channels = s.maps = in[1];
  s.kernel_h = in.rank() == 3 ? 1 : w.kernel[0];
  s.kernel_w = w.kernel.back();
  set_sizes(w, in, out, s);
  return s;
}

int64_t work(const BoundShapes& s) { return 4 * s.inputs[0].num_elements(); }

// Behind the bands: the counts of every output row and column.
size_t scratch_bytes(const BoundShapes& b) {
  const auto window = parse_window(b.node.attributes, b.inputs[0].shape.rank() - 2, {});
  if (!window) return 0;
  const ConvShape s = shape_of(*window, b.inputs[0].shape, b.outputs[0].shape);
  return pool_scratch_bytes(s, b.num_threads) + static_cast<size_t>(s.out_height + s.out_width) * sizeof(float);
}

// How many positions of an axis' window count for each output.
void count_axis(int64_t kernel, int64_t stride, int64_t dilation, int64_t pad, int64_t pad_end, int64_t in, int64_t out,
                bool padding, float* counts) {
  for (int64_t o = 0; o < out; ++o) {
    int64_t n = 0;
    for (int64_t k = 0; k < kernel; ++k) {
      const int64_t at = o * stride + k * dilation - pad;
      n += padding ? at < in + pad_end : at >= 0 && at < in;
    }
    counts[o] = static_cast<float>(std::max<int64_t>(n, 1));
  }
}

int64_t end_pad(const Window& w, size_t axis, int64_t in, int64_t out, int64_t pad) {
  if (w.auto_pad != AutoPad::kSameUpper && w.auto_pad != AutoPad::kSameLower) return w.pads_end[axis];
  return std::max<int64_t>(0, (out - 1) * w.strides[axis] + w.extent(axis) - in - pad);
}

void run(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  const ConvShape s = shape_of(p.window, c.in(0).shape, c.out(0).shape);
  const float* x = c.in(0).as<float>();
  float* y = c.out(0).as<float>();
  if (p.max) return max_pool(s, x, y, p.isa, c.scratch, c.thread, c.num_threads);
  float* count_h = reinterpret_cast<float*>(c.scratch + pool_scratch_bytes(s, c.num_threads));
  float* count_w = count_h + s.out_height;
  if (c.thread == 0) {
    const size_t last = p.window.kernel.size() - 1;
    const int64_t end_h = last ? end_pad(p.window, 0, s.height, s.out_height, s.pad_top) : 0;
    const int64_t end_w = end_pad(p.window, last, s.width, s.out_width, s.pad_left);
    count_axis(s.kernel_h, s.stride_h, s.dilation_h, s.pad_top, end_h, s.height, s.out_height, p.count_padding,
               count_h);
    count_axis(s.kernel_w, s.stride_w, s.dilation_w, s.pad_left, end_w, s.width, s.out_width, p.count_padding, count_w);
  }
  if (c.num_threads > 1) c.barrier();
  average_pool(s, x, y, count_h, count_w, p.isa, c.scratch, c.thread, c.num_threads);
}

// Planes of bytes: rows of the window one by one over a row of results.
template <class T>
void run_bytes(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  const ConvShape s = shape_of(p.window, c.in(0).shape, c.out(0).shape);
  const Range planes = c.share(s.batch * s.channels);
  for (int64_t plane = planes.begin; plane < planes.end; ++plane)
    for (int64_t oh = 0; oh < s.out_height; ++oh) {
      T* y = c.out(0).as<T>() + (plane * s.out_height + oh) * s.out_width;
      std::fill_n(y, s.out_width, std::numeric_limits<T>::lowest());
      for (int64_t kh = 0; kh < s.kernel_h; ++kh) {
        const int64_t h = oh * s.stride_h + kh * s.dilation_h - s.pad_top;
        if (h < 0 || h >= s.height) continue;
        const T* x = c.in(0).as<T>() + (plane * s.height + h) * s.width;
        for (int64_t kw = 0; kw < s.kernel_w; ++kw) {
          const int64_t shift = kw * s.dilation_w - s.pad_left;
          const int64_t first = shift < 0 ? (-shift + s.stride_w - 1) / s.stride_w : 0;
          const int64_t past = std::min(s.out_width, (s.width - shift + s.stride_w - 1) / s.stride_w);
          for (int64_t ow = first; ow < past; ++ow) y[ow] = std::max(y[ow], x[ow * s.stride_w + shift]);
        }
      }
    }
}

void run_global(KernelContext& c) {
  const Shape& s = c.in(0).shape;
  const int64_t plane = s.product(2, s.rank());
  const Isa isa = *static_cast<const Isa*>(c.prepared);
  const Range planes = c.share(s[0] * s[1]);
  for (int64_t p = planes.begin; p < planes.end; ++p)
    c.out(0).as<float>()[p] = pointwise(isa).sum(c.in(0).as<float>() + p * plane, plane) / static_cast<float>(plane);
}

}  // namespace

Support cpu_supports_tensor_pool(const NodeView& v) {
  const Type& x = v.input_type(0);
  const bool bytes = v.node.op == Op::kMaxPool && (x.dtype == DType::kU8 || x.dtype == DType::kI8);
  if ((x.dtype != DType::kF32 && !bytes) || !x.ranked() || (x.rank() != 3 && x.rank() != 4))
    return Support::no("the input is {}", x.to_string());
  if (v.node.outputs.size() > 1) return Support::no("it wants the indices too");
  const auto w = parse_window(v.node.attributes, x.rank() - 2, {});
  if (!w) return Support::no("{}", w.error().message());
  int64_t taps = 1;
  for (size_t d = 0; d < w->kernel.size(); ++d) {
    taps *= w->kernel[d];
    if (w->pads_begin[d] >= w->extent(d) || w->pads_end[d] >= w->extent(d))
      return Support::no("windows outside the image");
  }
  if (taps > kWindowTapsMax) return Support::no("a window of {} positions", taps);
  return Support::yes();
}

Result<Kernel> cpu_prepare_tensor_pool(const NodeView& v, ThreadPool&) {
  auto p = std::make_shared<Prepared>();
  p->window = INGOT_TRY(parse_window(v.node.attributes, v.input_type(0).rank() - 2, {}));
  p->max = v.node.op == Op::kMaxPool;
  p->count_padding = v.node.attributes.get_int("count_include_pad") != 0;
  p->isa = float_isa();
  const DType type = v.input_type(0).dtype;
  if (type != DType::kF32)
    return Kernel{.name = "max_pool_bytes",
                  .run = type == DType::kU8 ? run_bytes<uint8_t> : run_bytes<int8_t>,
                  .prepared = p,
                  .work = work};
  return Kernel{.name = fmt::format("{}_pool_{}", p->max ? "max" : "average", isa_name(p->isa)),
                .run = run,
                .prepared = p,
                .work = work,
                .scratch_bytes = scratch_bytes};
}

Support cpu_supports_tensor_global_pool(const NodeView& v) {
  const Type& x = v.input_type(0);
  return x.dtype == DType::kF32 && x.ranked() && x.rank() > 2 ? Support::yes()
                                                              : Support::no("the input is {}", x.to_string());
}

Result<Kernel> cpu_prepare_tensor_global_pool(const NodeView&, ThreadPool&) {
  return Kernel{.name = fmt::format("global_average_pool_{}", isa_name(float_isa())),
                .run = run_global,
                .prepared = std::make_shared<const Isa>(float_isa()),
                .work = [](const BoundShapes& s) { return s.inputs[0].num_elements(); }};
}

}  // namespace ingot
