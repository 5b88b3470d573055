// BF16 weights on AMX tiles: packed weights are B tiles as they lie in memory. Up to kVectorRows rows go through
// AVX-512, which reads memory ahead more easily and imitates the instruction to the bit.
//
// For each 32 elements of K the instruction adds up the even and the odd products in two float32 chains, adds
// the two and adds that to the sum (subnormals count as zero). A row of the result depends on nothing else,
// so one row and thousands have the same bits.

// clang-format off: the order matters
#include "backends/cpu/kernels/matmul/vec_avx512.inc"
#include "backends/cpu/kernels/matmul/loops.inc"
// clang-format on

namespace ingot::mm {
namespace {

constexpr int kTileK = 32;

// Tiles 0 to 3: sums, 2 * rows + outputs; 4, 5: x; 6, 7: weights.
struct TileConfig {
  alignas(64) uint8_t bytes[64] = {1};
  explicit TileConfig(int rows) {
    for (int tile = 0; tile < 8; ++tile) {
      const bool second = tile == 2 || tile == 3 || tile == 5;
      const int left = second ? rows - 16 : rows;
      bytes[16 + 2 * tile] = 64;
      bytes[48 + tile] = static_cast<uint8_t>(tile > 5 || left > 16 ? 16 : left < 1 ? 1 : left);
    }
  }
};

// 32 elements of K.   x: row 0; w: of NT tiles
template <int RT, int NT>
INGOT_INLINE void step(const uint8_t* x, size_t x_stride, const uint8_t* const (&w)[NT]) {
  _tile_loadd(6, w[0], 64);
  _tile_loadd(4, x, x_stride);
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (NT == 2) {
    _tile_loadd(7, w[1], 64);
    _tile_dpbf16ps(1, 4, 7);
  }
  if constexpr (RT == 2) {
    _tile_loadd(5, x + 16 * x_stride, x_stride);
    _tile_dpbf16ps(2, 5, 6);
    if constexpr (NT == 2) _tile_dpbf16ps(3, 5, 7);
  }
}

// `rows` rows, RT groups of 16, and NT tiles of outputs.
template <int RT, int NT>
void multiply(const Job& job, int64_t row, int rows, int64_t tile) {
  _tile_zero(0);
  if constexpr (NT == 2) _tile_zero(1);
  if constexpr (RT == 2) _tile_zero(2);
  if constexpr (RT == 2 && NT == 2) _tile_zero(3);

  const uint8_t* x = job.x + row * job.x_stride;
  const uint8_t* w[NT];
  for (int t = 0; t < NT; ++t) w[t] = job.w + (tile + t) * job.tile_bytes;
  int64_t k = 0;
  for (; k + kTileK <= job.k; k += kTileK) {
    if (job.row_end - job.row_begin <= 32)
      for (int t = 0; t < NT; ++t) prefetch_ahead(w[t], 1024);
    step<RT, NT>(x + 2 * k, job.x_stride, w);
    for (int t = 0; t < NT; ++t) w[t] += 1024;
  }
  if (k < job.k) {  // x ends in zeros, the weights do not
    alignas(64) uint8_t rest[NT][1024] = {};
    const uint8_t* padded[NT];
    for (int t = 0; t < NT; ++t) {
      __builtin_memcpy(rest[t], w[t], static_cast<size_t>(job.k + job.k % 2 - k) * 32);
      padded[t] = rest[t];
    }
    asm volatile("" ::: "memory");  // the tile intrinsics do not say that they read it
    step<RT, NT>(x + 2 * k, job.x_stride, padded);
  }

  alignas(64) float sums[2][2][16][16];  // [outputs][rows]
  _tile_stored(0, sums[0][0], 64);
  if constexpr (NT == 2) _tile_stored(1, sums[1][0], 64);
  if constexpr (RT == 2) _tile_stored(2, sums[0][1], 64);
  if constexpr (RT == 2 && NT == 2) _tile_stored(3, sums[1][1], 64);
  for (int t = 0; t < NT; ++t)
    for (int r = 0; r < rows; ++r) store_result(job, row + r, tile + t, 1, Vec::load_f(sums[t][r / 16][r % 16]));
}

template <int NT>
void run_tiles(const Job& job, int64_t row_begin, int64_t row_end, int64_t tile) {
  const int rest = static_cast<int>((row_end - row_begin) % 32);
  const int64_t full_end = row_end - rest;
  const TileConfig config(32), rest_config(rest);
  if (full_end > row_begin) _tile_loadconfig(config.bytes);
  for (int64_t row = row_begin; row < full_end; row += 32) multiply<2, NT>(job, row, 32, tile);
  if (rest) _tile_loadconfig(rest_config.bytes);
  if (rest > 16)
    multiply<2, NT>(job, full_end, rest, tile);
  else if (rest)
    multiply<1, NT>(job, full_end, rest, tile);
}

void run_tile_rows(const Job& job) {
  for_panels(job, [](const Job& j, int64_t row_begin, int64_t row_end, int64_t tile, int tiles) {
    if (tiles == 2)
      run_tiles<2>(j, row_begin, row_end, tile);
    else
      run_tiles<1>(j, row_begin, row_end, tile);
  });
  _tile_release();
}

constexpr int64_t kVectorRows = 4;

struct Weights {
  const uint8_t* at;
};

// What the tiles compute, for R rows and NT tiles of outputs over all of K.
template <class S, int R>
struct Imitation {
  template <int NT>
  [[gnu::noinline]] static void run(const Job& job, const S (&w)[NT], int64_t row, int64_t tile, int64_t, int64_t) {
    const uint8_t* x = job.x + row * job.x_stride;
    const int64_t pairs = (job.k + 1) / 2;
    Vec::F acc[NT][R];
    for (int t = 0; t < NT; ++t)
      for (int r = 0; r < R; ++r) acc[t][r] = Vec::zero();
    for (int64_t begin = 0; begin < pairs; begin += 16) {
      Vec::F even[NT][R], odd[NT][R];
      for (int t = 0; t < NT; ++t)
        for (int r = 0; r < R; ++r) even[t][r] = odd[t][r] = Vec::zero();
      for (int64_t p = begin; p < begin + 16; ++p) {
        Vec::F w0[NT], w1[NT];
        for (int t = 0; t < NT; ++t) {
          prefetch_ahead(w[t].at + 64 * p, 64);
          w0[t] = w1[t] = Vec::zero();
          if (p < pairs) Vec::load_bf16_pairs(w[t].at + 64 * p, w0[t], w1[t]);
        }
        for (int r = 0; r < R; ++r) {
          const uint8_t* pair = x + r * job.x_stride + 4 * p;
          const Vec::F x0 = bcast_bf16(pair), x1 = bcast_bf16(pair + 2);
          for (int t = 0; t < NT; ++t) {
            even[t][r] = Vec::fma(w0[t], x0, even[t][r]);
            odd[t][r] = Vec::fma(w1[t], x1, odd[t][r]);
          }
        }
      }
      for (int t = 0; t < NT; ++t)
        for (int r = 0; r < R; ++r) acc[t][r] = Vec::add(acc[t][r], Vec::add(even[t][r], odd[t][r]));
    }
    for (int t = 0; t < NT; ++t)
      for (int r = 0; r < R; ++r) store_result(job, row + r, tile + t, 1, acc[t][r]);
  }
  INGOT_INLINE Vec::F bcast_bf16(const uint8_t* p) {
    uint16_t v;
    __builtin_memcpy(&v, p, 2);
    return _mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(static_cast<uint32_t>(v) << 16)));
  }
};

template <int kMax, int NT>
void run_vectors(const Job& job, int64_t& tile) {
  for (; tile + NT <= job.tile_end; tile += NT) {
    Weights w[NT];
    for (int t = 0; t < NT; ++t) w[t].at = job.w + (tile + t) * job.tile_bytes;
    for_row_groups<Weights, Imitation, kMax, NT>(job, w, job.row_begin, job.row_end, tile, 0, job.k);
  }
}

void run_few_rows(const Job& job) {
  int64_t tile = job.tile_begin;
  if (job.row_end - job.row_begin == 1) run_vectors<1, 4>(job, tile);
  run_vectors<kVectorRows, 2>(job, tile);
  run_vectors<kVectorRows, 1>(job, tile);
}

}  // namespace

void bf16_amx(const Job& job) {
  const unsigned mode = _mm_getcsr();
  _mm_setcsr(mode | 0x8040);  // subnormals are zero, in the vectors' part as in the tiles'
  if (job.row_end - job.row_begin <= kVectorRows)
    run_few_rows(job);
  else
    run_tile_rows(job);
  _mm_setcsr(mode);
}

}  // namespace ingot::mm
