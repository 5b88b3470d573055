// Chooses kernels, splits the work, and converts activations that stay floating point.
#include "backends/cpu/kernels/matmul/matmul.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/kernels/matmul/layout.h"
#include "base/thread_pool.h"
#include "tensor/block_formats.h"

namespace ingot {
namespace {

struct Kernel {
  DType type;
  ActFormat act;
  Isa isa;
  mm::RunFn run;
};
constexpr Kernel kKernels[] = {
#define MATMUL_KERNEL(dtype, name, act, isa, suffix) {DType::dtype, ActFormat::act, Isa::isa, mm::name##_##suffix},
#include "backends/cpu/kernels/matmul/kernels.def"
#undef MATMUL_KERNEL
};

mm::FloatKernels find_float_kernels(Isa isa) {
#define FLOAT_ISA(level, suffix) \
  if (isa_includes(isa, Isa::level)) return mm::float_kernels_##suffix();
#include "backends/cpu/kernels/simd/float_isas.def"
#undef FLOAT_ISA
  return mm::float_kernels_baseline();
}

// The first, so the best, kernel that this ISA runs; a decoding one if there is none.
Kernel find_kernel(DType type, Isa isa) {
  for (const Kernel& k : kKernels)
    if (k.type == type && isa_includes(isa, k.isa)) return k;
  return {type, ActFormat::kF32, isa, find_float_kernels(isa).decode};
}

void copy_row(const float* x, int64_t k, uint8_t* out) { std::memcpy(out, x, static_cast<size_t>(k) * 4); }

// Threads over tiles; halves of the threads over rows too, while tiles divide unevenly and rows abound.
struct Split {
  int over_tiles, over_rows;
};
Split split_threads(int64_t tiles, int64_t rows, int num_threads) {
  Split s{num_threads, 1};
  while (s.over_tiles % 2 == 0 && rows >= 64 * s.over_rows) {
    const int64_t slots = (tiles + s.over_tiles - 1) / s.over_tiles * s.over_tiles;
    if (slots * 8 <= tiles * 9) break;
    s.over_tiles /= 2;
    s.over_rows *= 2;
  }
  return s;
}

}  // namespace

bool matmul_supports(DType type, int64_t k) {
  const bool known = is_quantized(type) || is_float(type);
  return known && can_decode(type) && k > 0 && k % dtype_info(type).block_elements == 0;
}

bool matmul_is_native(DType type, Isa isa) {
  return std::ranges::any_of(kKernels, [&](const Kernel& k) { return k.type == type && isa_includes(isa, k.isa); });
}

size_t packed_bytes(DType type, int64_t n, int64_t k, Isa) {
  return static_cast<size_t>((n + kMatmulTile - 1) / kMatmulTile) * mm::tile_bytes(type, k);
}

PackedWeights describe_weights(DType type, int64_t n, int64_t k, Isa isa, const std::byte* data) {
  return {type, n, k, find_kernel(type, isa).act, isa, packed_bytes(type, n, k, isa), data};
}

size_t quantized_row_bytes(ActFormat format, int64_t k) {
  switch (format) {
    case ActFormat::kF32: return static_cast<size_t>(k) * 4;
    case ActFormat::kBf16: return mm::odd_lines(static_cast<size_t>(k) * 2);
    case ActFormat::kQ8Block32: return mm::Act32(k).bytes;
    case ActFormat::kQ8Block256: return mm::Act256(k).bytes;
  }
  return 0;
}

void quantize_rows(ActFormat format, const float* x, int64_t ldx, int64_t rows, int64_t k, void* out, int thread,
                   int num_threads) {
  const mm::FloatKernels kernels = find_float_kernels(current_isa());
  const mm::QuantizeFn row = format == ActFormat::kF32         ? copy_row
                             : format == ActFormat::kBf16      ? kernels.to_bf16
                             : format == ActFormat::kQ8Block32 ? kernels.to_block32
                                                               : kernels.to_block256;
  const size_t bytes = quantized_row_bytes(format, k);
  const Range range = partition(rows, thread, num_threads);
  for (int64_t r = range.begin; r < range.end; ++r) row(x + r * ldx, k, static_cast<uint8_t*>(out) + r * bytes);
}

void matmul(const PackedWeights& w, const void* xq, int64_t rows, float* y, int64_t ldy, const float* bias, int thread,
            int num_threads) {
  const int64_t tiles = (w.n + kMatmulTile - 1) / kMatmulTile;
  const Split split = split_threads(tiles, rows, num_threads);
  const Range t = partition(tiles, thread % split.over_tiles, split.over_tiles);
  const Range r = partition(rows, thread / split.over_tiles, split.over_rows);
  if (t.begin == t.end || r.begin == r.end) return;
  const mm::Job job{.w = reinterpret_cast<const uint8_t*>(w.data),
                    .tile_bytes = mm::tile_bytes(w.type, w.k),
                    .n = w.n,
                    .k = w.k,
                    .x = static_cast<const uint8_t*>(xq),
                    .x_stride = quantized_row_bytes(w.act, w.k),
                    .row_begin = r.begin,
                    .row_end = r.end,
                    .tile_begin = t.begin,
                    .tile_end = t.end,
                    .y = y,
                    .ldy = ldy,
                    .bias = bias,
                    .type = w.type,
                    .block = dtype_info(w.type).block_elements,
                    .decode = decode_row};
  find_kernel(w.type, w.isa).run(job);
}

}  // namespace ingot
