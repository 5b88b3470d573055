// Q4_K and Q5_K on AMX int8 tiles; few rows take the AVX-512 path of block256.inc.
//
// A tile multiplication adds up products of one sub-block only, so its int32 sums are those of the AVX-512
// kernels and the float steps that follow are the same: the bits do not change with the path. Sixteen rows
// of x (A) meet an expanded panel of 16 outputs (B, whose layout is AMX's own); the sums (C) go through a
// small buffer to vectors.
// clang-format off: the order matters
#include "backends/cpu/kernels/matmul/vec_avx512.inc"
#include "backends/cpu/kernels/matmul/loops.inc"
#include "backends/cpu/kernels/matmul/block256.inc"
// clang-format on

namespace ingot::mm {
namespace {

// From this many rows on, the tiles win over the vectors.
constexpr int64_t kAmxMinRows = 16;

// Tile 0: C of 16 rows; 1: A of 16 rows; 2: B; 3, 4: C and A of the last rows.
struct TileConfig {
  alignas(64) uint8_t bytes[64] = {1};
  void set(int tile, int rows, int row_bytes) {
    bytes[16 + 2 * tile] = static_cast<uint8_t>(row_bytes);
    bytes[48 + tile] = static_cast<uint8_t>(rows);
  }
  // k: elements of a sum; last_rows: 1 to 15, or 0 if there are none
  TileConfig(int k, int last_rows) {
    set(0, 16, 64);
    set(1, 16, k);
    set(2, k / 4, 64);
    set(3, last_rows ? last_rows : 1, 64);
    set(4, last_rows ? last_rows : 1, k);
  }
};

// sums[row][lane] of one block. Multiplying and storing take turns whatever the order, so there is
// nothing to win from more tiles in flight.
template <bool kLast>
INGOT_INLINE void tile_sums(const uint8_t* x, size_t x_stride, const uint8_t* panel, int32_t (*sums)[16]) {
  if constexpr (kLast) {
    _tile_zero(3);
    _tile_loadd(4, x, x_stride);
    _tile_loadd(2, panel, 64);
    _tile_dpbssd(3, 4, 2);
    _tile_stored(3, sums, 64);
  } else {
    _tile_zero(0);
    _tile_loadd(1, x, x_stride);
    _tile_loadd(2, panel, 64);
    _tile_dpbssd(0, 1, 2);
    _tile_stored(0, sums, 64);
  }
}

INGOT_INLINE Vec::F sums_to_float(const int32_t* sums) { return Vec::to_float(_mm512_load_si512(sums)); }

// Runs body(row, rows) over groups of 16 rows and the rest, with the tiles configured.
template <class Body>
INGOT_INLINE void for_tile_rows(int64_t row, int64_t row_end, Body body) {
  for (; row + 16 <= row_end; row += 16) body(row, 16);
  if (row < row_end) body(row, static_cast<int>(row_end - row));
}

// s[r] += the scaled sums of one sub-block.
template <int kRows>
INGOT_INLINE void add_sub_block(const int32_t (*sums)[16], const float* scales, int rows, Vec::F* s) {
  const Vec::F scale = Vec::load_f(scales);
#pragma GCC unroll 16
  for (int r = 0; r < (kRows ? kRows : rows); ++r) s[r] = Vec::fma(sums_to_float(sums[r]), scale, s[r]);
}

// One block for 16 rows (kLast: for `rows` < 16).   x: row 0; b: the block's index
template <class S, bool kLast>
INGOT_INLINE void sub_blocks_amx(const PanelBlock<S>& block, const uint8_t* x, size_t x_stride, int64_t b, int rows,
                                 Vec::F* s) {
  static_assert(!S::kOffset, "bytes below 64 are signed as they are");
  constexpr int kRows = kLast ? 0 : 16, kSubs = 32 / S::kPairs, kElements = 8 * S::kPairs;
  alignas(64) int32_t sums[4][16][16];
  for (int j = 0; j < kSubs; ++j) {
    tile_sums<kLast>(x + 256 * b + kElements * j, x_stride, block.quants[S::kPairs * j][0], sums[j & 3]);
    add_sub_block<kRows>(sums[j & 3], block.scales[j], rows, s);
  }
}

template <class S, bool kLast>
void stretch_amx(const Job& job, const PanelBlock<S>* panel, int64_t row, int rows, int64_t tile, int64_t begin,
                 int64_t end) {
  const Act256 act(job.k);
  const uint8_t* x = job.x + row * job.x_stride;
  if (!kLast) rows = 16;
  alignas(64) float accs[16][16];  // too many for registers beside s
#pragma GCC unroll 16
  for (int r = 0; r < (kLast ? rows : 16); ++r)
    Vec::store_f(accs[r], begin == 0 ? Vec::zero() : load_acc(job, row + r, tile));
  for (int64_t b = begin; b < end; ++b) {
    const PanelBlock<S>& block = panel[b - begin];
    Vec::F s[16];
#pragma GCC unroll 16
    for (int r = 0; r < (kLast ? rows : 16); ++r) s[r] = Vec::zero();
    sub_blocks_amx<S, kLast>(block, x, job.x_stride, b, rows, s);
    const Vec::F dw = Vec::load_f(block.d);
#pragma GCC unroll 16
    for (int r = 0; r < (kLast ? rows : 16); ++r) {
      const float* d = reinterpret_cast<const float*>(x + r * job.x_stride + act.d_at) + b;
      Vec::F acc[1][1] = {{Vec::fma(s[r], Vec::mul(dw, Vec::bcast(d)), Vec::load_f(accs[r]))}};
      if constexpr (S::kMin) {
        const PanelBlock<S>* blocks[1] = {&block};
        subtract_minima<PanelSource<S>, 1, 1>(blocks, x + r * job.x_stride, job.x_stride, act, b, acc);
      }
      Vec::store_f(accs[r], acc[0][0]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < (kLast ? rows : 16); ++r) {
    if (end < job.k / 256)
      store_acc(job, row + r, tile, Vec::load_f(accs[r]));
    else
      store_result(job, row + r, tile, S::kPost, Vec::load_f(accs[r]));
  }
}

template <class S>
void run_amx(const Job& job) {
  if (job.row_end - job.row_begin < kAmxMinRows) return run_block256<S>(job);
  for_panels(job, [](const Job& j, int64_t row_begin, int64_t row_end, int64_t tile, int tiles) {
    constexpr int64_t kBlocks = 4;
    alignas(64) PanelBlock<S> panel[kBlocks];
    const TileConfig config(8 * S::kPairs, static_cast<int>((row_end - row_begin) % 16));
    _tile_loadconfig(config.bytes);
    for (int64_t t = tile; t < tile + tiles; ++t)
      for (int64_t begin = 0; begin < j.k / 256; begin += kBlocks) {
        const int64_t end = begin + kBlocks < j.k / 256 ? begin + kBlocks : j.k / 256;
        expand<S>(tile_at<S>(j, t) + begin, end - begin, panel);
        for_tile_rows(row_begin, row_end, [&](int64_t row, int rows) {
          if (rows == 16)
            stretch_amx<S, false>(j, panel, row, rows, t, begin, end);
          else
            stretch_amx<S, true>(j, panel, row, rows, t, begin, end);
        });
      }
    _tile_release();
  });
}

}  // namespace

void q4_k_amx(const Job& job) { run_amx<SourceQ4_K>(job); }
void q5_k_amx(const Job& job) { run_amx<SourceQ5_K>(job); }

}  // namespace ingot::mm
