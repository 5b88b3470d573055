// The K types on AMX int8 tiles; few rows take the AVX-512 path of block256.inc.
//
// scale * q, up to 13 bits, is split into 7 low bits and the rest, each in bytes. Two tiles then add up a whole
// block of 256 over K = 64 at a time; 128 * high + low is the exact sum that block256.inc asks for, so the bits
// do not change with the path. Sums reach vectors through memory only: the tiles run a block ahead, because a
// sum that is read back too early stalls. While tiles are in use the core has one 512-bit multiplier instead
// of two (measured), which is why the scales are multiplied into the weights and not into the sums.
// clang-format off: the order matters
#include "backends/cpu/kernels/matmul/vec_avx512.inc"
#include "backends/cpu/kernels/matmul/loops.inc"
#include "backends/cpu/kernels/matmul/block256.inc"
// clang-format on

namespace ingot::mm {
namespace {

// From this many rows on, what the tiles save pays for the expansion of the weights (docs/perf/cpu.md).
constexpr int64_t kAmxMinRows = 32;

// Tiles 0, 1: sums, low and high; 2: x; 3, 4: weights, low and high. The core renames them from block to block.
struct TileConfig {
  alignas(64) uint8_t bytes[64] = {1};
  explicit TileConfig(int rows) {
    for (int tile = 0; tile < 5; ++tile) {
      bytes[16 + 2 * tile] = 64;
      bytes[48 + tile] = static_cast<uint8_t>(tile < 3 ? rows : 16);
    }
  }
};

template <class S>
struct AmxBlock {
  uint8_t low[64][64], high[64][64];  // 16 of the first index are a tile: 4 elements of 16 outputs each
  float d[16], dmin[16];
  uint8_t mins[S::kMin ? 16 / S::kPairs : 1][64];
};
// The parts of it that finish_block() reads.
template <class S>
struct AmxSource {
  using Tile = AmxBlock<S>;
  static constexpr int kPairs = S::kPairs;
  static constexpr bool kMin = S::kMin;
  INGOT_INLINE Vec::F d(const Tile& b) { return Vec::load_f(b.d); }
  INGOT_INLINE Vec::F dmin(const Tile& b) { return Vec::load_f(b.dmin); }
  INGOT_INLINE Vec::U min_pair(const Tile& b, int p) { return Vec::load(b.mins[p]); }
};

// Group `at` of a block: four elements of 16 outputs, times their scales.
template <class S>
INGOT_INLINE void put_product(__m512i q, __m512i scale_pairs, int at, AmxBlock<S>& out) {
  if constexpr (S::kOffset != 0) q = _mm512_sub_epi8(q, _mm512_set1_epi8(static_cast<char>(S::kOffset)));
  const __m512i even = _mm512_mullo_epi16(_mm512_srai_epi16(_mm512_slli_epi16(q, 8), 8), scale_pairs);
  const __m512i odd = _mm512_mullo_epi16(_mm512_srai_epi16(q, 8), scale_pairs);
  const __m512i low7 = _mm512_set1_epi16(0x7f), low8 = _mm512_set1_epi16(0xff);
  Vec::store(out.low[at],
             _mm512_or_si512(_mm512_and_si512(even, low7), _mm512_slli_epi16(_mm512_and_si512(odd, low7), 8)));
  Vec::store(out.high[at], _mm512_or_si512(_mm512_and_si512(_mm512_srai_epi16(even, 7), low8),
                                           _mm512_slli_epi16(_mm512_srai_epi16(odd, 7), 8)));
}

template <class S, int V>
INGOT_INLINE void put_pair(const typename S::Tile& block, int j, __m512i scale_pairs, AmxBlock<S>& out) {
  Vec::U even, odd;
  S::template pair<V>(block, j, even, odd);
  put_product<S>(even, scale_pairs, 2 * (j * S::kPairs + V), out);
  put_product<S>(odd, scale_pairs, 2 * (j * S::kPairs + V) + 1, out);
}

template <class S>
void expand_products(const typename S::Tile* blocks, int64_t count, AmxBlock<S>* out) {
  for (int64_t b = 0; b < count; ++b) {
    for (int j = 0; j < 32 / S::kPairs; ++j) {
      const __m512i scale = S::scale(blocks[b], j);
      const __m512i pairs =
          _mm512_or_si512(_mm512_and_si512(scale, _mm512_set1_epi32(0xffff)), _mm512_slli_epi32(scale, 16));
      put_pair<S, 0>(blocks[b], j, pairs, out[b]);
      put_pair<S, 1>(blocks[b], j, pairs, out[b]);
      if constexpr (S::kPairs == 4) {
        put_pair<S, 2>(blocks[b], j, pairs, out[b]);
        put_pair<S, 3>(blocks[b], j, pairs, out[b]);
      }
      if constexpr (S::kMin)
        if (j % 2 == 0) Vec::store(out[b].mins[j / 2], S::min_pair(blocks[b], j / 2));
    }
    Vec::store_f(out[b].d, S::d(blocks[b]));
    Vec::store_f(out[b].dmin, S::dmin(blocks[b]));
  }
}

using Sums = int32_t[2][16][16];  // low and high parts of 16 rows x 16 outputs

// The sums of one block.   x: its first element in row 0
template <class S>
INGOT_INLINE void tile_sums(const uint8_t* x, size_t x_stride, const AmxBlock<S>& block, Sums& sums) {
  _tile_zero(0);
  _tile_zero(1);
  for (int c = 0; c < 4; ++c) {
    _tile_loadd(2, x + 64 * c, x_stride);
    _tile_loadd(3, block.low[16 * c], 64);
    _tile_dpbssd(0, 2, 3);
    _tile_loadd(4, block.high[16 * c], 64);
    _tile_dpbssd(1, 2, 4);
  }
  _tile_stored(0, sums[0], 64);
  _tile_stored(1, sums[1], 64);
}

// One stretch of K, blocks [begin, end), for 16 rows (kLast: for `rows` < 16) and one tile of outputs.
template <class S, bool kLast>
[[gnu::noinline]] void stretch_amx(const Job& job, const AmxBlock<S>* panel, int64_t row, int rows, int64_t tile,
                                   int64_t begin, int64_t end) {
  const Act256 act(job.k);
  const uint8_t* x = job.x + row * job.x_stride;
  const int64_t count = end - begin;
  alignas(64) Sums sums[2];
  alignas(64) float accs[16][16];
  const int used = kLast ? rows : 16;
  for (int r = 0; r < used; ++r) Vec::store_f(accs[r], begin == 0 ? Vec::zero() : load_acc(job, row + r, tile));
  for (int64_t i = 0; i <= count; ++i) {
    if (i < count) tile_sums(x + 256 * (begin + i), job.x_stride, panel[i], sums[i % 2]);
    if (i == 0) continue;
    const AmxBlock<S>& block = panel[i - 1];
    const Sums& of_block = sums[(i - 1) % 2];
#pragma GCC unroll 16
    for (int r = 0; r < used; ++r) {
      const Vec::I s[1] = {
          _mm512_add_epi32(_mm512_slli_epi32(Vec::load_i(of_block[1][r]), 7), Vec::load_i(of_block[0][r]))};
      Vec::F acc[1] = {Vec::load_f(accs[r])};
      finish_block<AmxSource<S>, 1>(block, x + r * job.x_stride, job.x_stride, act, begin + i - 1, s, acc);
      Vec::store_f(accs[r], acc[0]);
    }
  }
  for (int r = 0; r < used; ++r) {
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
    constexpr int64_t kBlocks = 3;  // these and 16 rows of x stay in the L1 cache
    alignas(64) AmxBlock<S> panel[kBlocks];
    const int64_t full_end = row_end - (row_end - row_begin) % 16;
    const int last_rows = static_cast<int>(row_end - full_end);
    const TileConfig config(16), last_config(last_rows);
    for (int64_t t = tile; t < tile + tiles; ++t)
      for (int64_t begin = 0; begin < j.k / 256; begin += kBlocks) {
        const int64_t end = begin + kBlocks < j.k / 256 ? begin + kBlocks : j.k / 256;
        expand_products<S>(tile_at<S>(j, t) + begin, end - begin, panel);
        asm volatile("" ::: "memory");  // the tile intrinsics do not say that they read it
        _tile_loadconfig(config.bytes);
        for (int64_t row = row_begin; row < full_end; row += 16)
          stretch_amx<S, false>(j, panel, row, 16, t, begin, end);
        if (!last_rows) continue;
        _tile_loadconfig(last_config.bytes);
        stretch_amx<S, true>(j, panel, full_end, last_rows, t, begin, end);
      }
    _tile_release();
  });
}

}  // namespace

void q2_k_amx(const Job& job) { run_amx<SourceQ2_K>(job); }
void q3_k_amx(const Job& job) { run_amx<SourceQ3_K>(job); }
void q4_k_amx(const Job& job) { run_amx<SourceQ4_K>(job); }
void q5_k_amx(const Job& job) { run_amx<SourceQ5_K>(job); }
void q6_k_amx(const Job& job) { run_amx<SourceQ6_K>(job); }
void codes_iq4_amx(const Job& job) { run_amx<SourceCodes<kTableIQ4>>(job); }
void codes_iq2_amx(const Job& job) { run_amx<SourceCodes<kTableIQ2>>(job); }
void codes_iq3_xxs_amx(const Job& job) { run_amx<SourceCodes<kTableIQ3_XXS>>(job); }
void codes_iq3_s_amx(const Job& job) { run_amx<SourceCodes<kTableIQ3_S>>(job); }
void codes_iq1_amx(const Job& job) { run_amx<SourceCodes<kTableIQ1>>(job); }
void codes_ternary_amx(const Job& job) { run_amx<SourceCodes<kTableTernary>>(job); }

}  // namespace ingot::mm
