// The types with blocks of 32 on AMX int8 tiles; few rows take the AVX-512 path of block32.inc.
// clang-format off: the order matters
#include "backends/cpu/kernels/matmul/vec_avx512.inc"
#include "backends/cpu/kernels/matmul/loops.inc"
#include "backends/cpu/kernels/matmul/block32.inc"
#include "backends/cpu/kernels/matmul/amx.inc"
// clang-format on

namespace ingot::mm {
namespace {

// A panel as in block32.inc, but of signed bytes.
template <class S>
void expand_signed(const S& source, int64_t begin, int64_t end, uint8_t* out) {
  expand(source, begin, end, out);
  if constexpr (S::kWide)
    for (int64_t b = begin; b < end; ++b, out += Panel<S>::kBlockBytes)
      for (int i = 0; i < 512; i += 64)
        Vec::store(out + i, _mm512_xor_si512(Vec::load(out + i), _mm512_set1_epi8(static_cast<char>(0x80))));
}

// acc[r] += the scaled sums of block b.
template <class P, int kRows>
INGOT_INLINE void add_block(const int32_t (*sums)[16], const uint8_t* panel, const uint8_t* x, size_t x_stride,
                            const Act32& act, int64_t b, int rows, Vec::F* acc) {
  const Vec::F scale = Vec::load_f(reinterpret_cast<const float*>(panel + 512));
#pragma GCC unroll 16
  for (int r = 0; r < (kRows ? kRows : rows); ++r) {
    const float* d = reinterpret_cast<const float*>(x + r * x_stride + act.d_at) + b;
    acc[r] = Vec::fma(sums_to_float(sums[r]), Vec::mul(scale, Vec::bcast(d)), acc[r]);
  }
  if constexpr (P::kMin) {
    const Vec::F min = Vec::load_f(reinterpret_cast<const float*>(panel + 576));
#pragma GCC unroll 16
    for (int r = 0; r < (kRows ? kRows : rows); ++r) {
      const float* s = reinterpret_cast<const float*>(x + r * x_stride + act.sum_at) + b;
      acc[r] = Vec::fma(min, Vec::bcast(s), acc[r]);
    }
  }
}

// Blocks [begin, end) for 16 rows (kLast: for `rows` < 16) and one tile.
template <class P, bool kLast>
void stretch_amx(const Job& job, const uint8_t* panel, int64_t row, int rows, int64_t tile, int64_t begin,
                 int64_t end) {
  const Act32 act(job.k);
  const uint8_t* x = job.x + row * job.x_stride;
  constexpr int kRows = kLast ? 0 : 16;
  alignas(64) int32_t sums[4][16][16];  // a new one each time, so that a store never waits for older loads
  Vec::F acc[16];
#pragma GCC unroll 16
  for (int r = 0; r < (kLast ? rows : 16); ++r) acc[r] = begin == 0 ? Vec::zero() : load_acc(job, row + r, tile);
  for (int64_t b = begin; b < end; ++b, panel += P::kBlockBytes) {
    tile_sums<kLast>(x + 32 * b, job.x_stride, panel, sums[b & 3]);
    add_block<P, kRows>(sums[b & 3], panel, x, job.x_stride, act, b, rows, acc);
  }
#pragma GCC unroll 16
  for (int r = 0; r < (kLast ? rows : 16); ++r) {
    if (end < job.k / 32)
      store_acc(job, row + r, tile, acc[r]);
    else
      store_result(job, row + r, tile, P::kPost, acc[r]);
  }
}

template <class S>
void run_amx(const Job& job) {
  if (job.row_end - job.row_begin < kAmxMinRows) return run_block32<S>(job);
  using P = Panel<S>;
  for_panels(job, [](const Job& j, int64_t row_begin, int64_t row_end, int64_t tile, int tiles) {
    alignas(64) uint8_t panel[P::kBlocks * P::kBlockBytes];
    const TileConfig config(32, static_cast<int>((row_end - row_begin) % 16));
    _tile_loadconfig(config.bytes);
    for (int64_t t = tile; t < tile + tiles; ++t)
      for (int64_t begin = 0; begin < j.k / 32; begin += P::kBlocks) {
        const int64_t end = begin + P::kBlocks < j.k / 32 ? begin + P::kBlocks : j.k / 32;
        expand_signed(S(j.w + t * j.tile_bytes, j.k), begin, end, panel);
        for_tile_rows(row_begin, row_end, [&](int64_t row, int rows) {
          if (rows == 16)
            stretch_amx<P, false>(j, panel, row, rows, t, begin, end);
          else
            stretch_amx<P, true>(j, panel, row, rows, t, begin, end);
        });
      }
    _tile_release();
  });
}

}  // namespace

void q4_0_amx(const Job& job) { run_amx<SourceQ4_0>(job); }
void q4_1_amx(const Job& job) { run_amx<SourceQ4_1>(job); }
void q5_0_amx(const Job& job) { run_amx<SourceQ5_0>(job); }
void q5_1_amx(const Job& job) { run_amx<SourceQ5_1>(job); }
void q8_0_amx(const Job& job) { run_amx<SourceQ8_0>(job); }
void iq4_nl_amx(const Job& job) { run_amx<SourceTable<false>>(job); }
void mxfp4_amx(const Job& job) { run_amx<SourceTable<true>>(job); }

}  // namespace ingot::mm
