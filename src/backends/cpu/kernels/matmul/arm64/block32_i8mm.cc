// The types with blocks of 32 in Arm NEON with int8 matrix products; few rows take the dot products of block32.inc.
// clang-format off: the order matters
#include "backends/cpu/kernels/matmul/arm64/vec_neon.inc"
#include "backends/cpu/kernels/matmul/loops.inc"
#include "backends/cpu/kernels/matmul/block32.inc"
#include "backends/cpu/kernels/matmul/arm64/products.inc"
// clang-format on

namespace ingot::mm {
namespace {

template <class S>
struct Product32 {
  Octet octets[4];
  float scale[16], min[S::kMin ? 16 : 1];
};

template <class S, int V>
INGOT_INLINE void put_pair(const typename S::Block& block, Product32<S>& out) {
  Vec::U even, odd;
  S::Block::template pair<V>(block, even, odd);
  put_octet(even, odd, S::kWide ? 128 : 0, out.octets[V]);
}

template <class S>
void expand_products(const S& source, int64_t begin, int64_t end, Product32<S>* out) {
  for (int64_t b = begin; b < end; ++b, ++out) {
    const typename S::Block block = S::block(source, b);
    put_pair<S, 0>(block, *out);
    put_pair<S, 1>(block, *out);
    put_pair<S, 2>(block, *out);
    put_pair<S, 3>(block, *out);
    Vec::store_f(out->scale, S::Block::scale(block));
    if constexpr (S::kMin) Vec::store_f(out->min, S::Block::min(block));
  }
}

// Blocks [begin, end) for P pairs of rows, of which `rows` exist, and one tile of outputs.
template <class S, int P>
[[gnu::noinline]] void stretch_products(const Job& job, const Product32<S>* panel, int64_t row, int rows, int64_t tile,
                                        int64_t begin, int64_t end) {
  const Act32 act(job.k);
  const uint8_t* x[2 * P];
  row_pointers(job, row, rows, x);
  Vec::F acc[2 * P];
  load_accs(job, row, rows, tile, begin == 0, acc);
  for (int64_t b = begin; b < end; ++b) {
    const Product32<S>& block = panel[b - begin];
    PairSums sums[P] = {};
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) add_products<P>(block.octets[v], x, 32 * b + 8 * v, sums);
    const Vec::F scale = Vec::load_f(block.scale);
    for (int p = 0; p < P; ++p) {
      Vec::I of_row[2];
      split_rows(sums[p], of_row[0], of_row[1]);
      for (int h = 0; h < 2; ++h) {
        Vec::F& a = acc[2 * p + h];
        a = add_scaled(of_row[h], scale, x[2 * p + h], act, b, a);
        if constexpr (S::kMin) a = add_minimum(Vec::load_f(block.min), x[2 * p + h], act, b, a);
      }
    }
  }
  store_accs(job, row, rows, tile, end == job.k / 32, S::kPost, acc);
}

template <class S>
void run_products32(const Job& job) {
  if (job.row_end - job.row_begin < kPanelMinRows) return run_block32<S>(job);
  for_panels(job, [](const Job& j, int64_t row_begin, int64_t row_end, int64_t tile, int) {
    constexpr int64_t kBlocks = 24;  // 16 kB: half of the smallest L1 cache
    alignas(64) Product32<S> panel[kBlocks];
    const S source(j.w + tile * static_cast<int64_t>(j.tile_bytes), j.k);
    for (int64_t begin = 0; begin < j.k / 32; begin += kBlocks) {
      const int64_t end = begin + kBlocks < j.k / 32 ? begin + kBlocks : j.k / 32;
      expand_products<S>(source, begin, end, panel);
      for_row_pairs(
          row_begin, row_end,
          [&](int64_t row, int rows) { stretch_products<S, 2>(j, panel, row, rows, tile, begin, end); },
          [&](int64_t row, int rows) { stretch_products<S, 1>(j, panel, row, rows, tile, begin, end); });
    }
  });
}

}  // namespace

void q4_0_i8mm(const Job& job) { run_products32<SourceQ4_0>(job); }
void q4_1_i8mm(const Job& job) { run_products32<SourceQ4_1>(job); }
void q5_0_i8mm(const Job& job) { run_products32<SourceQ5_0>(job); }
void q5_1_i8mm(const Job& job) { run_products32<SourceQ5_1>(job); }
void q8_0_i8mm(const Job& job) { run_products32<SourceQ8_0>(job); }
void iq4_nl_i8mm(const Job& job) { run_products32<SourceTable<false>>(job); }
void mxfp4_i8mm(const Job& job) { run_products32<SourceTable<true>>(job); }

}  // namespace ingot::mm
