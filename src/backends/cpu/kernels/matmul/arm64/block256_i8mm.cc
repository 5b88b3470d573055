// The K types (blocks of 256) in Arm NEON with int8 matrix products; few rows take the dot products of block256.inc.
// clang-format off: the order matters
#include "backends/cpu/kernels/matmul/arm64/vec_neon.inc"
#include "backends/cpu/kernels/matmul/loops.inc"
#include "backends/cpu/kernels/matmul/block256.inc"
#include "backends/cpu/kernels/matmul/arm64/products.inc"
// clang-format on

namespace ingot::mm {
namespace {

template <class S>
struct Product256 {
  static constexpr int kSubs = 32 / S::kPairs;
  Octet octets[kSubs][S::kPairs];
  int32_t scales[kSubs][16];
  float d[16], dmin[16];
  uint8_t mins[S::kMin ? kSubs / 2 : 1][64];
};
// The parts of it that finish_block() reads.
template <class S>
struct ProductSource {
  using Tile = Product256<S>;
  static constexpr int kPairs = S::kPairs;
  static constexpr bool kMin = S::kMin;
  INGOT_INLINE Vec::F d(const Tile& b) { return Vec::load_f(b.d); }
  INGOT_INLINE Vec::F dmin(const Tile& b) { return Vec::load_f(b.dmin); }
  INGOT_INLINE Vec::U min_pair(const Tile& b, int p) { return Vec::load(b.mins[p]); }
};

template <class S, int V>
INGOT_INLINE void put_pair(const typename S::Tile& block, int j, Product256<S>& out) {
  Vec::U even, odd;
  S::template pair<V>(block, j, even, odd);
  put_octet(even, odd, S::kOffset, out.octets[j][V]);
}

template <class S>
void expand_products(const typename S::Tile* blocks, int64_t count, Product256<S>* out) {
  for (int64_t b = 0; b < count; ++b) {
    for (int j = 0; j < 32 / S::kPairs; ++j) {
      put_pair<S, 0>(blocks[b], j, out[b]);
      put_pair<S, 1>(blocks[b], j, out[b]);
      if constexpr (S::kPairs == 4) {
        put_pair<S, 2>(blocks[b], j, out[b]);
        put_pair<S, 3>(blocks[b], j, out[b]);
      }
      Vec::store_i(out[b].scales[j], S::scale(blocks[b], j));
      if constexpr (S::kMin)
        if (j % 2 == 0) Vec::store(out[b].mins[j / 2], S::min_pair(blocks[b], j / 2));
    }
    Vec::store_f(out[b].d, S::d(blocks[b]));
    Vec::store_f(out[b].dmin, S::dmin(blocks[b]));
  }
}

// Blocks [begin, end) for P pairs of rows, of which `rows` exist, and one tile of outputs.
template <class S, int P>
[[gnu::noinline]] void stretch_products(const Job& job, const Product256<S>* panel, int64_t row, int rows, int64_t tile,
                                        int64_t begin, int64_t end) {
  const Act256 act(job.k);
  const uint8_t* x[2 * P];
  row_pointers(job, row, rows, x);
  Vec::F acc[2 * P];
  load_accs(job, row, rows, tile, begin == 0, acc);
  for (int64_t b = begin; b < end; ++b) {
    const Product256<S>& block = panel[b - begin];
    Vec::I s[2 * P];
    for (int r = 0; r < 2 * P; ++r) s[r] = Vec::zero_i();
    for (int j = 0; j < Product256<S>::kSubs; ++j) {
      PairSums sums[P] = {};
#pragma GCC unroll 4
      for (int v = 0; v < S::kPairs; ++v)
        add_products<P>(block.octets[j][v], x, 256 * b + 8 * (S::kPairs * j + v), sums);
      const Vec::I scale = Vec::load_i(block.scales[j]);
      for (int p = 0; p < P; ++p) {
        Vec::I of_row[2];
        split_rows(sums[p], of_row[0], of_row[1]);
        for (int h = 0; h < 2; ++h) s[2 * p + h] = Vec::mul_add_i(of_row[h], scale, s[2 * p + h]);
      }
    }
    for (int r = 0; r < 2 * P; ++r) {
      const Vec::I sum[1] = {s[r]};
      Vec::F a[1] = {acc[r]};
      finish_block<ProductSource<S>, 1>(block, x[r], job.x_stride, act, b, sum, a);
      acc[r] = a[0];
    }
  }
  store_accs(job, row, rows, tile, end == job.k / 256, S::kPost, acc);
}

template <class S>
void run_products256(const Job& job) {
  if (job.row_end - job.row_begin < kPanelMinRows) return run_block256<S>(job);
  for_panels(job, [](const Job& j, int64_t row_begin, int64_t row_end, int64_t tile, int) {
    constexpr int64_t kBlocks = 3;  // 16 kB: half of the smallest L1 cache
    alignas(64) Product256<S> panel[kBlocks];
    for (int64_t begin = 0; begin < j.k / 256; begin += kBlocks) {
      const int64_t end = begin + kBlocks < j.k / 256 ? begin + kBlocks : j.k / 256;
      expand_products<S>(tile_at<S>(j, tile) + begin, end - begin, panel);
      for_row_pairs(
          row_begin, row_end,
          [&](int64_t row, int rows) { stretch_products<S, 2>(j, panel, row, rows, tile, begin, end); },
          [&](int64_t row, int rows) { stretch_products<S, 1>(j, panel, row, rows, tile, begin, end); });
    }
  });
}

}  // namespace

void q2_k_i8mm(const Job& job) { run_products256<SourceQ2_K>(job); }
void q3_k_i8mm(const Job& job) { run_products256<SourceQ3_K>(job); }
void q4_k_i8mm(const Job& job) { run_products256<SourceQ4_K>(job); }
void q5_k_i8mm(const Job& job) { run_products256<SourceQ5_K>(job); }
void q6_k_i8mm(const Job& job) { run_products256<SourceQ6_K>(job); }
void codes_iq4_i8mm(const Job& job) { run_products256<SourceCodes<kTableIQ4>>(job); }
void codes_iq2_i8mm(const Job& job) { run_products256<SourceCodes<kTableIQ2>>(job); }
void codes_iq3_xxs_i8mm(const Job& job) { run_products256<SourceCodes<kTableIQ3_XXS>>(job); }
void codes_iq3_s_i8mm(const Job& job) { run_products256<SourceCodes<kTableIQ3_S>>(job); }
void codes_iq1_i8mm(const Job& job) { run_products256<SourceCodes<kTableIQ1>>(job); }
void codes_ternary_i8mm(const Job& job) { run_products256<SourceCodes<kTableTernary>>(job); }

}  // namespace ingot::mm
