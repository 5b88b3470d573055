// MatMulInteger and ConvInteger on the CPU: constant 8-bit weights, kept as int16 rows with their zero points taken
// off. MatMulInteger: [...,M,K] by [K,N]. ConvInteger: one or two spatial dimensions; each thread unfolds its own
// positions of the image.
#include <algorithm>

#include "backends/backend.h"
#include "backends/cpu/kernels/bytes/bytes.h"
#include "backends/cpu/kernels/simd/float_isa.h"
#include "backends/cpu/ops/window_shape.h"

namespace ingot {
namespace {

constexpr int64_t kPositions = 32;  // of an image that are unfolded at once
constexpr int64_t kColumns = 4;     // what the kernel takes at once

struct Prepared {
  int64_t rows = 0, k = 0;  // of the weight: its rows are MatMulInteger's columns
  Window window;
  ConvShape shape;  // ConvInteger: without the image's sizes
  Isa isa = Isa::kBaseline;
  std::shared_ptr<void> packed;

  int64_t step() const { return bytes::padded(k); }
  const int16_t* weight() const { return static_cast<const int16_t*>(packed.get()); }
};

int byte_at(const TensorView& t, int64_t i) { return t.dtype == DType::kI8 ? t.as<int8_t>()[i] : t.as<uint8_t>()[i]; }

bool is_byte(const Type& t) { return t.dtype == DType::kI8 || t.dtype == DType::kU8; }

// out[i] = x[i * stride] - zero
void widen(const TensorView& x, int64_t first, int64_t stride, int64_t count, int zero, int16_t* out) {
  const auto copy = [&](const auto* from) {
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<int16_t>(from[i * stride] - zero);
  };
  x.dtype == DType::kI8 ? copy(x.as<int8_t>() + first) : copy(x.as<uint8_t>() + first);
}

int zero_of(const KernelContext& c, int input) { return c.has_input(input) ? byte_at(c.in(input), 0) : 0; }

int64_t matmul_work(const BoundShapes& s) { return s.outputs[0].num_elements() * s.inputs[1].shape[0] / 4; }

size_t matmul_scratch(const BoundShapes& s) {
  const Shape& x = s.inputs[0].shape;
  return static_cast<size_t>(x.product(0, x.rank() - 1) * bytes::padded(x.at(-1))) * sizeof(int16_t);
}

void run_matmul(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  const int64_t rows = p.k ? c.in(0).num_elements() / p.k : 0, step = p.step();
  int16_t* x = reinterpret_cast<int16_t*>(c.scratch);
  const Range own = c.share(rows);
  for (int64_t r = own.begin; r < own.end; ++r) {
    widen(c.in(0), r * p.k, 1, p.k, zero_of(c, 2), x + r * step);
    std::fill(x + r * step + p.k, x + (r + 1) * step, 0);
  }
  if (c.num_threads > 1) c.barrier();
  const Range columns = c.share(p.rows, kColumns);
  bytes::kernels_for(p.isa).products(x, rows, p.weight() + columns.begin * step, columns.end - columns.begin, step,
                                     c.out(0).as<int32_t>() + columns.begin, p.rows);
}

int64_t conv_work(const BoundShapes& s) {
  return s.outputs[0].num_elements() * s.inputs[1].shape.product(1, s.inputs[1].shape.rank()) / 4;
}

size_t conv_scratch(const BoundShapes& s) {
  const Shape& w = s.inputs[1].shape;
  return static_cast<size_t>(s.num_threads * kPositions * bytes::padded(w.product(1, w.rank()))) * sizeof(int16_t);
}

// What the window at `position` of the output sees of one group's channels.
void unfold(const TensorView& x, const ConvShape& s, int64_t first, int64_t position, int zero, int64_t step,
            int16_t* out) {
  const int64_t top = position / s.out_width * s.stride_h - s.pad_top;
  const int64_t left = position % s.out_width * s.stride_w - s.pad_left;
  std::fill_n(out, step, 0);
  for (int64_t ch = 0; ch < s.group_channels(); ++ch)
    for (int64_t kh = 0; kh < s.kernel_h; ++kh, out += s.kernel_w) {
      const int64_t row = top + kh * s.dilation_h;
      if (row < 0 || row >= s.height) continue;
      const int64_t begin = left >= 0 ? 0 : (-left + s.dilation_w - 1) / s.dilation_w;
      const int64_t end = left >= s.width ? 0 : std::min(s.kernel_w, (s.width - 1 - left) / s.dilation_w + 1);
      if (begin < end)
        widen(x, first + (ch * s.height + row) * s.width + left + begin * s.dilation_w, s.dilation_w, end - begin, zero,
              out + begin);
    }
}

void run_conv(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  ConvShape s = p.shape;
  set_sizes(p.window, c.in(0).shape, c.out(0).shape, s);
  const int64_t step = p.step(), plane = s.out_plane(), blocks = (plane + kPositions - 1) / kPositions;
  int16_t* seen = reinterpret_cast<int16_t*>(c.scratch) + c.thread * kPositions * step;
  const Range own = c.share(s.batch * s.group * blocks);
  for (int64_t i = own.begin; i < own.end; ++i) {
    const int64_t image = i / blocks / s.group, g = i / blocks % s.group, from = i % blocks * kPositions;
    const int64_t count = std::min(kPositions, plane - from);
    const int64_t first = (image * s.channels + g * s.group_channels()) * s.in_plane();
    for (int64_t j = 0; j < count; ++j) unfold(c.in(0), s, first, from + j, zero_of(c, 2), step, seen + j * step);
    bytes::kernels_for(p.isa).products(p.weight() + g * s.group_maps() * step, s.group_maps(), seen, count, step,
                                       c.out(0).as<int32_t>() + (image * s.maps + g * s.group_maps()) * plane + from,
                                       plane);
  }
}

// The weight's rows, row r from w[first(r)] on with this stride.
template <class First>
Result<Kernel> pack(const NodeView& v, const std::shared_ptr<Prepared>& p, int64_t stride, First first) {
  const TensorView w = v.constant(1)->view();
  const Tensor* zeros = v.constant(3);
  const size_t size = static_cast<size_t>(p->rows * p->step()) * sizeof(int16_t);
  const PackedStore::Piece piece = INGOT_TRY(v.packed_memory(size));
  p->packed = piece.memory;
  p->isa = float_isa();
  int16_t* out = static_cast<int16_t*>(p->packed.get());
  for (int64_t r = 0; r < p->rows && !piece.filled; ++r) {
    const int zero = zeros ? byte_at(zeros->view(), zeros->shape().num_elements() == 1 ? 0 : r) : 0;
    widen(w, first(r), stride, p->k, zero, out + r * p->step());
    std::fill(out + r * p->step() + p->k, out + (r + 1) * p->step(), 0);
  }
  const bool conv = v.node.op == Op::kConvInteger;
  return Kernel{.name = fmt::format("{}_bytes_{}", conv ? "conv" : "matmul", isa_name(p->isa)),
                .run = conv ? run_conv : run_matmul,
                .prepared = p,
                .work = conv ? conv_work : matmul_work,
                .scratch_bytes = conv ? conv_scratch : matmul_scratch,
                .consumed_inputs = 1u << 1,
                .prepared_bytes = size};
}

}  // namespace

Support cpu_supports_tensor_bytes(const NodeView& v) {
  if (!is_byte(v.input_type(0)) || !is_byte(v.input_type(1))) return Support::no("operands are no bytes");
  const Tensor* w = v.constant(1);
  if (!w || w->shape().num_elements() == 0) return Support::no("the weight is not a constant");
  const Type& x = v.input_type(0);
  if (!x.ranked() || x.rank() < 2) return Support::no("the input is {}", x.to_string());
  if (v.has_input(3) && !v.constant(3)) return Support::no("the weight's zero point is not a constant");
  const auto zero = v.has_input(2) ? v.input_type(2).concrete() : Shape{1};
  if (!zero || zero->num_elements() != 1) return Support::no("the input has several zero points");
  const bool conv = v.node.op == Op::kConvInteger;
  const int64_t zeros = v.has_input(3) ? v.constant(3)->shape().num_elements() : 1;
  if (zeros != 1 && zeros != w->shape()[conv ? 0 : 1]) return Support::no("the weight has {} zero points", zeros);
  if (!conv) return w->shape().rank() == 2 ? Support::yes() : Support::no("the weight is {}", w->shape().to_string());
  const int64_t group = v.node.attributes.get_int("group", 1);
  if (w->shape().rank() > 4 || x.rank() != w->shape().rank()) return Support::no("the input is {}", x.to_string());
  if (group < 1 || w->shape()[0] % group) return Support::no("the weight is {}", w->shape().to_string());
  const auto window = parse_window(v.node.attributes, x.rank() - 2, spatial_of(w->shape()));
  return window ? Support::yes() : Support::no("{}", window.error().message());
}

Result<Kernel> cpu_prepare_tensor_bytes(const NodeView& v, ThreadPool&) {
  const Shape w = v.constant(1)->shape();
  auto p = std::make_shared<Prepared>();
  if (v.node.op == Op::kMatMulInteger) {
    p->rows = w[1];
    p->k = w[0];
    return pack(v, p, w[1], [](int64_t r) { return r; });
  }
  p->rows = w[0];
  p->k = w.product(1, w.rank());
  p->window = INGOT_TRY(parse_window(v.node.attributes, w.rank() - 2, spatial_of(w)));
  p->shape.group = v.node.attributes.get_int("group", 1);
  p->shape.maps = w[0];
  p->shape.channels = w[1] * p->shape.group;
  p->shape.kernel_h = w.rank() == 4 ? w[2] : 1;
  p->shape.kernel_w = w.at(-1);
  return pack(v, p, 1, [k = p->k](int64_t r) { return r * k; });
}

}  // namespace ingot
