// MatMulInteger and ConvInteger on the CPU: constant 8-bit weights, kept as int16 pairs with their zero points taken
// off. MatMulInteger: [...,M,K] by [K,N], the weight is the right operand of its tiles. ConvInteger: one or two spatial
// dimensions, the weight is the left operand; each thread unfolds its own positions of the image.
#include <algorithm>

#include "backends/backend.h"
#include "backends/cpu/kernels/bytes/bytes.h"
#include "backends/cpu/kernels/simd/float_isa.h"
#include "backends/cpu/ops/window_shape.h"

namespace ingot {
namespace {

struct Prepared {
  int64_t pairs = 0;           // along k, of one group
  int64_t columns = 0, k = 0;  // MatMulInteger: N, K
  Window window;
  ConvShape shape;  // ConvInteger: without the image's sizes
  Isa isa = Isa::kBaseline;
  std::shared_ptr<void> packed;

  const int16_t* weight() const { return static_cast<const int16_t*>(packed.get()); }
};

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

int byte_at(const TensorView& t, int64_t i) { return t.dtype == DType::kI8 ? t.as<int8_t>()[i] : t.as<uint8_t>()[i]; }

bool is_byte(const Type& t) { return t.dtype == DType::kI8 || t.dtype == DType::kU8; }

int zero_of(const KernelContext& c, int input) { return c.has_input(input) ? byte_at(c.in(input), 0) : 0; }

int64_t matmul_work(const BoundShapes& s) { return s.outputs[0].num_elements() * s.inputs[1].shape[0] / 4; }

size_t matmul_scratch(const BoundShapes& s) {
  const Shape& x = s.inputs[0].shape;
  return static_cast<size_t>(x.product(0, x.rank() - 1) * bytes::pairs_of(x.at(-1))) * 2 * sizeof(int16_t);
}

// Rows [first, first + rows) of x [M,K] as the left operand of a tile.
void pack_rows(const TensorView& x, int64_t first, int64_t rows, int64_t k, int zero, int16_t* out) {
  const auto pack = [&](const auto* from) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = 0; i < bytes::pairs_of(k) * 2; ++i)
        out[(i / 2 * rows + r) * 2 + i % 2] =
            i < k ? static_cast<int16_t>(from[(first + r) * k + i] - zero) : int16_t{0};
  };
  x.dtype == DType::kI8 ? pack(x.as<int8_t>()) : pack(x.as<uint8_t>());
}

void run_matmul(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  const bytes::Kernels& kernels = bytes::kernels_for(p.isa);
  const int64_t rows = p.k ? c.in(0).num_elements() / p.k : 0, high = kernels.tile_rows;
  int16_t* x = reinterpret_cast<int16_t*>(c.scratch);
  const Range own = c.share(ceil_div(rows, high));
  for (int64_t t = own.begin; t < own.end; ++t)
    pack_rows(c.in(0), t * high, std::min(high, rows - t * high), p.k, zero_of(c, 2), x + t * high * p.pairs * 2);
  if (c.num_threads > 1) c.barrier();
  const Range panels = c.share(ceil_div(p.columns, bytes::kColumns));
  for (int64_t n = panels.begin; n < panels.end; ++n)
    for (int64_t r = 0; r < rows; r += high)
      kernels.tile(x + r * p.pairs * 2, std::min(high, rows - r), p.weight() + n * p.pairs * bytes::kColumns * 2,
                   p.pairs, std::min(bytes::kColumns, p.columns - n * bytes::kColumns),
                   c.out(0).as<int32_t>() + r * p.columns + n * bytes::kColumns, p.columns);
}

int64_t conv_work(const BoundShapes& s) {
  return s.outputs[0].num_elements() * s.inputs[1].shape.product(1, s.inputs[1].shape.rank()) / 4;
}

int64_t conv_pairs(const Shape& weight) { return weight.product(2, weight.rank()) * bytes::pairs_of(weight[1]); }

size_t conv_scratch(const BoundShapes& s) {
  return static_cast<size_t>(s.num_threads * conv_pairs(s.inputs[1].shape) * bytes::kColumns) * 2 * sizeof(int16_t);
}

void run_conv(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  const bytes::Kernels& kernels = bytes::kernels_for(p.isa);
  ConvShape s = p.shape;
  set_sizes(p.window, c.in(0).shape, c.out(0).shape, s);
  const int64_t plane = s.out_plane(), blocks = ceil_div(plane, bytes::kColumns), maps = s.group_maps();
  int16_t* seen = reinterpret_cast<int16_t*>(c.scratch) + c.thread * p.pairs * bytes::kColumns * 2;
  const Range own = c.share(s.batch * s.group * blocks);
  for (int64_t i = own.begin; i < own.end; ++i) {
    const int64_t image = i / blocks / s.group, g = i / blocks % s.group, from = i % blocks * bytes::kColumns;
    const int64_t count = std::min(bytes::kColumns, plane - from);
    kernels.unfold({.s = s,
                    .x = c.in(0).as<uint8_t>() + (image * s.channels + g * s.group_channels()) * s.in_plane(),
                    .is_signed = c.in(0).dtype == DType::kI8,
                    .zero = zero_of(c, 2),
                    .position = from,
                    .columns = count,
                    .out = seen});
    int32_t* out = c.out(0).as<int32_t>() + (image * s.maps + g * maps) * plane + from;
    for (int64_t r = 0; r < maps; r += kernels.tile_rows)
      kernels.tile(p.weight() + (g * maps + r) * p.pairs * 2, std::min<int64_t>(kernels.tile_rows, maps - r), seen,
                   p.pairs, count, out + r * plane, plane);
  }
}

// The weight with the zero point of each row (of MatMulInteger: column) taken off: put(row, k, value).
template <class Put>
void for_each_weight(const NodeView& v, int64_t rows, int64_t row_step, int64_t k_count, int64_t k_step, Put put) {
  const TensorView w = v.constant(1)->view();
  std::vector<int> zeros(static_cast<size_t>(rows));
  if (const Tensor* z = v.constant(3))
    for (int64_t r = 0; r < rows; ++r)
      zeros[static_cast<size_t>(r)] = byte_at(z->view(), z->shape().num_elements() == 1 ? 0 : r);
  const auto walk = [&](const auto* from) {
    const auto one = [&](int64_t r, int64_t k) {
      put(r, k, static_cast<int16_t>(from[r * row_step + k * k_step] - zeros[static_cast<size_t>(r)]));
    };
    if (k_step == 1)
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t k = 0; k < k_count; ++k) one(r, k);
    else
      for (int64_t k = 0; k < k_count; ++k)
        for (int64_t r = 0; r < rows; ++r) one(r, k);
  };
  w.dtype == DType::kI8 ? walk(w.as<int8_t>()) : walk(w.as<uint8_t>());
}

// [panel of columns][pair][column][2]
void pack_matmul(const NodeView& v, const Prepared& p, int16_t* out) {
  for_each_weight(v, p.columns, 1, p.k, p.columns, [&](int64_t n, int64_t k, int16_t value) {
    out[((n / bytes::kColumns * p.pairs + k / 2) * bytes::kColumns + n % bytes::kColumns) * 2 + k % 2] = value;
  });
}

// [group][panel of maps][pair of channels of each kernel position][map][2]
void pack_conv(const NodeView& v, const Prepared& p, int64_t tile_rows, int16_t* out) {
  const ConvShape& s = p.shape;
  const int64_t channels = s.group_channels(), per_tap = bytes::pairs_of(channels), maps = s.group_maps();
  const int64_t taps = s.taps(), k_count = channels * taps;
  for_each_weight(v, s.maps, k_count, k_count, 1, [&](int64_t map, int64_t k, int16_t value) {
    const int64_t in_group = map % maps, r = in_group % tile_rows, first = map - r, c = k / taps, tap = k % taps;
    const int64_t rows = std::min(tile_rows, maps - (in_group - r));
    out[(first * p.pairs + (tap * per_tap + c / 2) * rows + r) * 2 + c % 2] = value;
  });
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
  const bool conv = v.node.op == Op::kConvInteger;
  auto p = std::make_shared<Prepared>();
  p->isa = float_isa();
  size_t rows = 0;  // of pairs
  if (conv) {
    p->window = INGOT_TRY(parse_window(v.node.attributes, w.rank() - 2, spatial_of(w)));
    p->shape.group = v.node.attributes.get_int("group", 1);
    p->shape.maps = w[0];
    p->shape.channels = w[1] * p->shape.group;
    p->shape.kernel_h = w.rank() == 4 ? w[2] : 1;
    p->shape.kernel_w = w.at(-1);
    p->pairs = conv_pairs(w);
    rows = static_cast<size_t>(w[0]);
  } else {
    p->columns = w[1];
    p->k = w[0];
    p->pairs = bytes::pairs_of(p->k);
    rows = static_cast<size_t>(ceil_div(w[1], bytes::kColumns) * bytes::kColumns);
  }
  const size_t size = rows * static_cast<size_t>(p->pairs) * 2 * sizeof(int16_t);
  const PackedStore::Piece piece = INGOT_TRY(v.packed_memory(size));
  p->packed = piece.memory;
  if (!piece.filled) {
    auto* out = static_cast<int16_t*>(p->packed.get());
    std::fill_n(out, size / sizeof(int16_t), int16_t{0});
    if (conv)
      pack_conv(v, *p, bytes::kernels_for(p->isa).tile_rows, out);
    else
      pack_matmul(v, *p, out);
  }
  return Kernel{.name = fmt::format("{}_pairs_{}", conv ? "conv" : "matmul", isa_name(p->isa)),
                .run = conv ? run_conv : run_matmul,
                .prepared = p,
                .work = conv ? conv_work : matmul_work,
                .scratch_bytes = conv ? conv_scratch : matmul_scratch,
                .consumed_inputs = 1u << 1,
                .prepared_bytes = size};
}

}  // namespace ingot
