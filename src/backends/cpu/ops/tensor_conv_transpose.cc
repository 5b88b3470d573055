// ConvTranspose on the CPU: float32, one or two spatial dimensions, a constant weight. Per image one matrix product
// gives what every input position adds through every kernel position; then each output plane gathers its sums in a
// fixed order.
#include <algorithm>

#include "backends/backend.h"
#include "backends/cpu/kernels/gemm/gemm.h"
#include "backends/cpu/kernels/simd/float_isa.h"
#include "backends/cpu/ops/window_shape.h"

namespace ingot {
namespace {

struct Prepared {
  Window window;
  int64_t group, channels, maps, kernel_h, kernel_w;  // channels and maps of a group
  bool derived_pads;                                  // pads follow from the output's size
  std::vector<int64_t> output_padding;
  Isa isa;
  std::shared_ptr<void> packed;

  int64_t taps() const { return kernel_h * kernel_w; }
};

struct Axis {
  int64_t in, out, kernel, stride, dilation, pad;
};

Axis axis_of(const Prepared& p, const Shape& in, const Shape& out, int spatial) {
  const size_t d = static_cast<size_t>(spatial);
  const int at = spatial + 2;
  Axis a{in[at], out[at], p.window.kernel[d], p.window.strides[d], p.window.dilations[d], p.window.pads_begin[d]};
  if (p.derived_pads) {
    const int64_t extra = p.output_padding.empty() ? 0 : p.output_padding[d];
    const int64_t total = std::max<int64_t>(0, (a.in - 1) * a.stride + p.window.extent(d) + extra - a.out);
    a.pad = p.window.auto_pad == AutoPad::kSameUpper ? total / 2 : total - total / 2;
  }
  return a;
}

int64_t work(const BoundShapes& s) {
  const Shape& w = s.inputs[1].shape;
  return s.inputs[0].num_elements() * w.product(1, w.rank());
}

size_t sums_bytes(const Shape& in, const Shape& weight, int64_t group) {
  return static_cast<size_t>(weight.product(1, weight.rank()) * group * in.product(2, in.rank())) * sizeof(float);
}

size_t scratch_bytes(const BoundShapes& s) {
  return sums_bytes(s.inputs[0].shape, s.inputs[1].shape, s.node.attributes.get_int("group", 1)) +
         gemm_scratch_bytes(s.num_threads) + 64;
}

// One row of the output from one row of sums.
void add_row(const float* sums, const Axis& a, int64_t tap, float* y) {
  const int64_t shift = tap * a.dilation - a.pad;
  const int64_t first = shift < 0 ? (-shift + a.stride - 1) / a.stride : 0;
  const int64_t past = a.out - shift <= 0 ? 0 : std::min(a.in, (a.out - 1 - shift) / a.stride + 1);
  float* to = y + shift;
  if (a.stride == 2) {
    for (int64_t i = first; i < past; ++i) to[2 * i] += sums[i];
  } else {
    for (int64_t i = first; i < past; ++i) to[i * a.stride] += sums[i];
  }
}

// y: one plane; sums: [taps][in plane]
void gather(const Prepared& p, const Axis& h, const Axis& w, const float* sums, float bias, float* y) {
  std::fill_n(y, h.out * w.out, bias);
  for (int64_t t = 0; t < p.taps(); ++t)
    for (int64_t i = 0; i < h.in; ++i) {
      const int64_t row = i * h.stride + t / p.kernel_w * h.dilation - h.pad;
      if (row >= 0 && row < h.out) add_row(sums + (t * h.in + i) * w.in, w, t % p.kernel_w, y + row * w.out);
    }
}

void run(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  const Shape &in = c.in(0).shape, &out = c.out(0).shape;
  const bool flat = in.rank() == 3;
  const Axis w = axis_of(p, in, out, flat ? 0 : 1);
  const Axis h = flat ? Axis{1, 1, 1, 1, 1, 0} : axis_of(p, in, out, 0);
  const int64_t in_plane = h.in * w.in, out_plane = h.out * w.out, maps = p.maps * p.group;
  const size_t gemm_bytes = gemm_scratch_bytes(c.num_threads);
  float* sums = reinterpret_cast<float*>(c.scratch + gemm_bytes);
  for (int64_t image = 0; image < in[0]; ++image) {
    for (int64_t g = 0; g < p.group; ++g) {
      Gemm product{.m = p.maps * p.taps(), .n = in_plane, .k = p.channels};
      product.a = {.packed = static_cast<const float*>(p.packed.get()) + g * product.m * product.k};
      product.b = {.data = c.in(0).as<float>() + (image * p.group + g) * p.channels * in_plane,
                   .k_step = in_plane,
                   .column_step = 1};
      product.c = sums + g * product.m * in_plane;
      product.ldc = in_plane;
      gemm(product, p.isa, c.scratch, c.thread, c.num_threads);
    }
    if (c.num_threads > 1) c.barrier();
    const Range r = c.share(maps);
    for (int64_t m = r.begin; m < r.end; ++m)
      gather(p, h, w, sums + m * p.taps() * in_plane, c.has_input(2) ? c.in(2).as<float>()[m] : 0,
             c.out(0).as<float>() + (image * maps + m) * out_plane);
    if (c.num_threads > 1) c.barrier();
  }
}

}  // namespace

Support cpu_supports_tensor_conv_transpose(const NodeView& v) {
  const Type& x = v.input_type(0);
  if (x.dtype != DType::kF32) return Support::no("the input is {}", x.to_string());
  if (!v.constant(1)) return Support::no("the weight is not a constant");
  const Shape& w = v.constant(1)->shape();
  if ((w.rank() != 3 && w.rank() != 4) || !x.ranked() || x.rank() != w.rank())
    return Support::no("the input is {}", x.to_string());
  const int64_t group = v.node.attributes.get_int("group", 1);
  if (group < 1 || w.num_elements() == 0 || w[0] % group) return Support::no("the weight is {}", w.to_string());
  const auto window = parse_window(v.node.attributes, w.rank() - 2, spatial_of(w));
  if (!window) return Support::no("{}", window.error().message());
  return Support::yes();
}

Result<Kernel> cpu_prepare_tensor_conv_transpose(const NodeView& v, ThreadPool&) {
  const TensorView w = v.constant(1)->view();
  const Attributes& a = v.node.attributes;
  auto p = std::make_shared<Prepared>();
  p->window = INGOT_TRY(parse_window(a, w.shape.rank() - 2, spatial_of(w.shape)));
  p->group = a.get_int("group", 1);
  p->channels = w.shape[0] / p->group;
  p->maps = w.shape[1];
  p->kernel_h = w.shape.rank() == 4 ? w.shape[2] : 1;
  p->kernel_w = w.shape.at(-1);
  const AutoPad pad = p->window.auto_pad;
  p->derived_pads = pad == AutoPad::kSameUpper || pad == AutoPad::kSameLower || !a.get_ints("output_shape").empty();
  p->output_padding = a.get_ints("output_padding");
  p->isa = float_isa();
  const int64_t rows = p->maps * p->taps();
  const size_t bytes = gemm_packed_a_floats(rows, p->channels) * static_cast<size_t>(p->group) * sizeof(float);
  const PackedStore::Piece piece = INGOT_TRY(v.packed_memory(bytes));
  p->packed = piece.memory;
  for (int64_t g = 0; !piece.filled && g < p->group; ++g)
    pack_gemm_a({.data = w.as<float>() + g * p->channels * rows, .row_step = 1, .k_step = rows}, rows, p->channels,
                p->isa, static_cast<float*>(p->packed.get()) + g * rows * p->channels, 0, 1);
  return Kernel{.name = fmt::format("conv_transpose_{}", isa_name(p->isa)),
                .run = run,
                .prepared = p,
                .work = work,
                .scratch_bytes = scratch_bytes,
                .consumed_inputs = 1u << 1,
                .prepared_bytes = bytes};
}

}  // namespace ingot
