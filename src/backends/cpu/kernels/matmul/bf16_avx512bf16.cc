// BF16 weights with AVX-512's bf16 dot products: acc += w[k] * x[k] + w[k + 1] * x[k + 1] for k = 0, 2, 4 …,
// one chain per lane whatever the number of rows. Packed weights are the operands as they lie in memory.
// clang-format off: the order matters
#include "backends/cpu/kernels/matmul/vec_avx512.inc"
#include "backends/cpu/kernels/matmul/loops.inc"
// clang-format on

namespace ingot::mm {
namespace {

struct Weights {
  const uint8_t* at;
};

INGOT_INLINE __m512bh as_bf16(__m512i v) { return reinterpret_cast<__m512bh>(v); }

template <class S, int R>
struct StretchBf16 {
  template <int NT>
  [[gnu::noinline]] static void run(const Job& job, const S (&sources)[NT], int64_t row, int64_t tile, int64_t,
                                    int64_t) {
    const uint8_t* x = job.x + row * job.x_stride;
    Vec::F acc[NT][R];
    for (int t = 0; t < NT; ++t)
      for (int r = 0; r < R; ++r) acc[t][r] = Vec::zero();
    const int64_t pairs = (job.k + 1) / 2;
    for (int64_t p = 0; p < pairs; ++p) {
      __m512bh w[NT];
      for (int t = 0; t < NT; ++t) {
        if constexpr (R <= 4) prefetch_ahead(sources[t].at + 64 * p, 64);
        w[t] = as_bf16(Vec::load(sources[t].at + 64 * p));
      }
      for (int r = 0; r < R; ++r) {
        const __m512bh v = as_bf16(Vec::bcast_i(x + r * job.x_stride + 4 * p));
        for (int t = 0; t < NT; ++t) acc[t][r] = _mm512_dpbf16_ps(acc[t][r], w[t], v);
      }
    }
    for (int t = 0; t < NT; ++t)
      for (int r = 0; r < R; ++r) store_result(job, row + r, tile + t, 1, acc[t][r]);
  }
};

template <int kMax, int NT>
void run_tiles(const Job& job, int64_t row_begin, int64_t row_end, int64_t tile) {
  Weights sources[NT];
  for (int t = 0; t < NT; ++t) sources[t].at = job.w + (tile + t) * job.tile_bytes;
  for_row_groups<Weights, StretchBf16, kMax, NT>(job, sources, row_begin, row_end, tile, 0, job.k);
}

}  // namespace

void bf16_avx512bf16(const Job& job) {
  if (job.row_end - job.row_begin == 1) {  // more tiles in flight hide the latency of the chains
    int64_t tile = job.tile_begin;
    for (; tile + 4 <= job.tile_end; tile += 4) run_tiles<1, 4>(job, job.row_begin, job.row_end, tile);
    for (; tile < job.tile_end; ++tile) run_tiles<1, 1>(job, job.row_begin, job.row_end, tile);
    return;
  }
  for_panels(job, [](const Job& j, int64_t row_begin, int64_t row_end, int64_t tile, int tiles) {
    if (tiles == 2)
      run_tiles<8, 2>(j, row_begin, row_end, tile);
    else
      run_tiles<8, 1>(j, row_begin, row_end, tile);
  });
}

}  // namespace ingot::mm
