// Packs weights from GGUF's rows into the tiles of layout.h. Portable: four elements at a time in a uint32.
// A row past n is zero: its scales make it so, and its results are not stored.
#include <algorithm>
#include <cstring>

#include "backends/cpu/kernels/matmul/layout.h"
#include "base/thread_pool.h"
#include "tensor/block_formats.h"
#include "tensor/half.h"

namespace ingot::mm {
namespace {

constexpr uint32_t kLowNibbles = 0x0f0f0f0f;

uint32_t load4(const void* p) {
  uint32_t v;
  std::memcpy(&v, p, 4);
  return v;
}
void store4(void* p, uint32_t v) { std::memcpy(p, &v, 4); }
void store2(uint8_t* p, uint16_t v) { std::memcpy(p, &v, 2); }
// Four bits to the lowest bits of four bytes.
uint32_t spread(uint32_t bits) { return (bits & 15) * 0x00204081u & 0x01010101u; }

// 16 bytes of GGUF nibbles (elements 0…15 low, 16…31 high) to four words of our nibble pairs.
void put_nibbles(const uint8_t* qs, int row, uint8_t* out) {
  for (int v = 0; v < 4; ++v) {
    const uint32_t even = load4(qs + 8 * (v % 2)), odd = load4(qs + 8 * (v % 2) + 4);
    const uint32_t word =
        v < 2 ? (even & kLowNibbles) | (odd & kLowNibbles) << 4 : (even >> 4 & kLowNibbles) | (odd & ~kLowNibbles);
    store4(out + 64 * v + 4 * row, word);
  }
}
void put_bits(uint32_t bits, int row, uint8_t* out) {
  uint32_t word = 0;
  for (int g = 0; g < 8; ++g) word |= spread(bits >> 4 * g) << g;
  store4(out + 4 * row, word);
}

// --- blocks of 32: put(block, row, scales of this block, quants of this block)
struct PackQ4_0 {
  using Block = BlockQ4_0;
  static constexpr Block32Layout kLayout = kLayoutQ4_0;
  static void put(const Block& b, int row, uint8_t* scales, uint8_t* quants) {
    store2(scales + 2 * row, b.d);
    put_nibbles(b.qs, row, quants);
  }
};
struct PackQ4_1 {
  using Block = BlockQ4_1;
  static constexpr Block32Layout kLayout = kLayoutQ4_1;
  static void put(const Block& b, int row, uint8_t* scales, uint8_t* quants) {
    store2(scales + 2 * row, b.d);
    store2(scales + 32 + 2 * row, b.m);
    put_nibbles(b.qs, row, quants);
  }
};
struct PackQ5_0 {
  using Block = BlockQ5_0;
  static constexpr Block32Layout kLayout = kLayoutQ5_0;
  static void put(const Block& b, int row, uint8_t* scales, uint8_t* quants) {
    store2(scales + 2 * row, b.d);
    put_nibbles(b.qs, row, quants);
    put_bits(b.qh, row, quants + 256);
  }
};
struct PackQ5_1 {
  using Block = BlockQ5_1;
  static constexpr Block32Layout kLayout = kLayoutQ5_1;
  static void put(const Block& b, int row, uint8_t* scales, uint8_t* quants) {
    store2(scales + 2 * row, b.d);
    store2(scales + 32 + 2 * row, b.m);
    put_nibbles(b.qs, row, quants);
    put_bits(b.qh, row, quants + 256);
  }
};
struct PackQ8_0 {
  using Block = BlockQ8_0;
  static constexpr Block32Layout kLayout = kLayoutQ8_0;
  static void put(const Block& b, int row, uint8_t* scales, uint8_t* quants) {
    store2(scales + 2 * row, b.d);
    for (int g = 0; g < 8; ++g) store4(quants + 64 * g + 4 * row, load4(b.qs + 4 * g) ^ 0x80808080u);
  }
};
struct PackMXFP4 {
  using Block = BlockMXFP4;
  static constexpr Block32Layout kLayout = kLayoutMXFP4;
  static void put(const Block& b, int row, uint8_t* scales, uint8_t* quants) {
    scales[row] = b.e;
    put_nibbles(b.qs, row, quants);
  }
};

template <class P>
void pack_tile32(const uint8_t* src, size_t row_bytes, int rows, int64_t k, uint8_t* dst) {
  for (int64_t b = 0; b < k / 32; ++b) {
    uint8_t* scales = dst + P::kLayout.scale_bytes * b;
    uint8_t* quants = dst + P::kLayout.quants_at(k) + P::kLayout.quant_bytes * b;
    for (int r = 0; r < rows; ++r)
      P::put(reinterpret_cast<const typename P::Block*>(src + r * row_bytes)[b], r, scales, quants);
  }
}

// --- blocks of 256
// 32 bytes whose nibbles are sub-blocks 2c (low) and 2c + 1 (high) of 32 elements.
void put_nibbles_k(const uint8_t* qs, int row, uint8_t (*even)[64], uint8_t (*odd)[64]) {
  for (int v = 0; v < 4; ++v) {
    const uint32_t a = load4(qs + 8 * v), b = load4(qs + 8 * v + 4);
    store4(even[v] + 4 * row, (a & kLowNibbles) | (b & kLowNibbles) << 4);
    store4(odd[v] + 4 * row, (a >> 4 & kLowNibbles) | (b & ~kLowNibbles));
  }
}
template <class Tile>
void put_scales_k4(const uint8_t (&packed)[12], int row, Tile& tile) {
  uint8_t scales[8], mins[8];
  unpack_k4_scales(packed, scales, mins);
  for (int j = 0; j < 8; ++j) {
    tile.scales[j][row] = scales[j];
    tile.mins[j / 2][row][j % 2] = mins[j];
  }
}
void put(const BlockQ4_K& b, int row, TileQ4_K& tile) {
  tile.d[row] = b.d;
  tile.dmin[row] = b.dmin;
  put_scales_k4(b.scales, row, tile);
  for (int c = 0; c < 4; ++c) put_nibbles_k(b.qs + 32 * c, row, tile.quants[2 * c], tile.quants[2 * c + 1]);
}
void put(const BlockQ5_K& b, int row, TileQ5_K& tile) {
  tile.d[row] = b.d;
  tile.dmin[row] = b.dmin;
  put_scales_k4(b.scales, row, tile);
  for (int c = 0; c < 4; ++c) put_nibbles_k(b.qs + 32 * c, row, tile.quants[2 * c], tile.quants[2 * c + 1]);
  for (int j = 0; j < 8; ++j) {
    uint32_t word = 0;
    for (int g = 0; g < 8; ++g) word |= (load4(b.qh + 4 * g) >> j & 0x01010101u) << g;
    store4(tile.high[j] + 4 * row, word);
  }
}
void put(const BlockQ6_K& b, int row, TileQ6_K& tile) {
  tile.d[row] = half_to_float(b.d);
  for (int j = 0; j < 16; ++j) {
    tile.scales[j][row] = b.scales[j];
    // Sub-block j: 16 elements, number 16 * j; `c` counts runs of 32 in its half.
    const int half = j / 8, c = j % 8 / 2, l = 16 * (j % 2);
    const uint8_t* ql = b.ql + 64 * half + 32 * (c % 2) + l;
    const uint8_t* qh = b.qh + 32 * half + l;
    uint32_t low[4], high = 0;
    for (int g = 0; g < 4; ++g) {
      low[g] = load4(ql + 4 * g) >> (c < 2 ? 0 : 4) & kLowNibbles;
      high |= (load4(qh + 4 * g) >> 2 * c & 0x03030303u) << 2 * g;
    }
    for (int v = 0; v < 2; ++v) store4(tile.quants[j][v] + 4 * row, low[2 * v] | low[2 * v + 1] << 4);
    store4(tile.high[j] + 4 * row, high);
  }
}
// The 2-bit fields of sub-block j (16 elements) of Q2_K and Q3_K.
void put_two_bits(const uint8_t* qs, int j, int row, uint8_t* out) {
  const int half = j / 8, c = j % 8 / 2, l = 16 * (j % 2);
  uint32_t word = 0;
  for (int g = 0; g < 4; ++g) word |= (load4(qs + 32 * half + l + 4 * g) >> 2 * c & 0x03030303u) << 2 * g;
  store4(out + 4 * row, word);
}
void put(const BlockQ2_K& b, int row, TileQ2_K& tile) {
  tile.d[row] = b.d;
  tile.dmin[row] = b.dmin;
  for (int j = 0; j < 16; ++j) {
    tile.scales[j / 2][row][j % 2] = b.scales[j];
    put_two_bits(b.qs, j, row, tile.quants[j]);
  }
}
void put(const BlockQ3_K& b, int row, TileQ3_K& tile) {
  tile.d[row] = half_to_float(b.d);
  int8_t scales[16];
  unpack_q3_k_scales(b.scales, scales);
  for (int j = 0; j < 16; ++j) {
    tile.scales[j][row] = scales[j];
    put_two_bits(b.qs, j, row, tile.quants[j]);
  }
  for (int c = 0; c < 8; ++c) {  // elements 32c … 32c + 31: sub-blocks 2c and 2c + 1
    uint32_t word = 0;
    for (int g = 0; g < 8; ++g) word |= (load4(b.hmask + 4 * g) >> c & 0x01010101u) << g;
    store4(tile.high[c] + 4 * row, word);
  }
}

template <class Block, class Tile>
void pack_tile256(const uint8_t* src, size_t row_bytes, int rows, int64_t k, uint8_t* dst) {
  for (int64_t b = 0; b < k / 256; ++b)
    for (int r = 0; r < rows; ++r)
      put(reinterpret_cast<const Block*>(src + r * row_bytes)[b], r, reinterpret_cast<Tile*>(dst)[b]);
}

template <DType T>
void pack_tile_codes(const uint8_t* src, size_t row_bytes, int rows, int64_t k, uint8_t* dst) {
  TileCodes* tiles = reinterpret_cast<TileCodes*>(dst);
  std::memset(dst, 0, static_cast<size_t>(k / 256) * sizeof(TileCodes));
  for (int64_t b = 0; b < k / 256; ++b)
    for (int r = 0; r < rows; ++r) put_codes(T, src + r * row_bytes + dtype_bytes(T, 256) * b, r, tiles[b]);
}

// --- floats and the rest
template <int kBytes, int kStep>
void pack_tile_plain(const uint8_t* src, size_t row_bytes, int rows, int64_t k, uint8_t* dst) {
  for (int r = 0; r < rows; ++r)
    for (int64_t i = 0; i < k; ++i)
      std::memcpy(dst + ((i / kStep * kLanes + r) * kStep + i % kStep) * kBytes, src + r * row_bytes + i * kBytes,
                  kBytes);
}
void pack_tile_copy(const uint8_t* src, size_t row_bytes, int rows, int64_t, uint8_t* dst) {
  std::memcpy(dst, src, rows * row_bytes);
}

using PackTileFn = void (*)(const uint8_t* src, size_t row_bytes, int rows, int64_t k, uint8_t* dst);

struct TileFormat {
  PackTileFn pack;
  size_t bytes;
};

TileFormat tile_format(DType type, int64_t k) {
  const size_t blocks = static_cast<size_t>(k / 256);
  switch (type) {
    case DType::kQ4_0: return {pack_tile32<PackQ4_0>, kLayoutQ4_0.tile_bytes(k)};
    case DType::kQ4_1: return {pack_tile32<PackQ4_1>, kLayoutQ4_1.tile_bytes(k)};
    case DType::kQ5_0: return {pack_tile32<PackQ5_0>, kLayoutQ5_0.tile_bytes(k)};
    case DType::kQ5_1: return {pack_tile32<PackQ5_1>, kLayoutQ5_1.tile_bytes(k)};
    case DType::kQ8_0: return {pack_tile32<PackQ8_0>, kLayoutQ8_0.tile_bytes(k)};
    case DType::kIQ4_NL: return {pack_tile32<PackQ4_0>, kLayoutQ4_0.tile_bytes(k)};
    case DType::kMXFP4: return {pack_tile32<PackMXFP4>, kLayoutMXFP4.tile_bytes(k)};
    case DType::kQ2_K: return {pack_tile256<BlockQ2_K, TileQ2_K>, blocks * sizeof(TileQ2_K)};
    case DType::kQ3_K: return {pack_tile256<BlockQ3_K, TileQ3_K>, blocks * sizeof(TileQ3_K)};
    case DType::kQ4_K: return {pack_tile256<BlockQ4_K, TileQ4_K>, blocks * sizeof(TileQ4_K)};
    case DType::kQ5_K: return {pack_tile256<BlockQ5_K, TileQ5_K>, blocks * sizeof(TileQ5_K)};
    case DType::kQ6_K: return {pack_tile256<BlockQ6_K, TileQ6_K>, blocks * sizeof(TileQ6_K)};
    case DType::kIQ4_XS: return {pack_tile_codes<DType::kIQ4_XS>, blocks * sizeof(TileCodes)};
    case DType::kIQ2_XXS: return {pack_tile_codes<DType::kIQ2_XXS>, blocks * sizeof(TileCodes)};
    case DType::kIQ2_XS: return {pack_tile_codes<DType::kIQ2_XS>, blocks * sizeof(TileCodes)};
    case DType::kIQ2_S: return {pack_tile_codes<DType::kIQ2_S>, blocks * sizeof(TileCodes)};
    case DType::kIQ3_XXS: return {pack_tile_codes<DType::kIQ3_XXS>, blocks * sizeof(TileCodes)};
    case DType::kIQ3_S: return {pack_tile_codes<DType::kIQ3_S>, blocks * sizeof(TileCodes)};
    case DType::kIQ1_S: return {pack_tile_codes<DType::kIQ1_S>, blocks * sizeof(TileCodes)};
    case DType::kIQ1_M: return {pack_tile_codes<DType::kIQ1_M>, blocks * sizeof(TileCodes)};
    case DType::kTQ1_0: return {pack_tile_codes<DType::kTQ1_0>, blocks * sizeof(TileCodes)};
    case DType::kTQ2_0: return {pack_tile_codes<DType::kTQ2_0>, blocks * sizeof(TileCodes)};
    case DType::kF32: return {pack_tile_plain<4, 1>, static_cast<size_t>(k) * 64};
    case DType::kF16: return {pack_tile_plain<2, 1>, static_cast<size_t>(k) * 32};
    case DType::kBF16: return {pack_tile_plain<2, 2>, static_cast<size_t>(k + k % 2) * 32};
    default: return {pack_tile_copy, can_decode(type) ? dtype_bytes(type, k) * kLanes : 0};
  }
}

}  // namespace

size_t tile_bytes(DType type, int64_t k) { return tile_format(type, k).bytes; }

}  // namespace ingot::mm

namespace ingot {

void pack_weights(const PackedWeights& out, const void* src, std::byte* dst, int thread, int num_threads) {
  const mm::TileFormat format = mm::tile_format(out.type, out.k);
  const size_t row_bytes = dtype_bytes(out.type, out.k);
  const Range tiles = partition((out.n + mm::kLanes - 1) / mm::kLanes, thread, num_threads);
  for (int64_t tile = tiles.begin; tile < tiles.end; ++tile) {
    const int64_t row = tile * mm::kLanes;
    const int rows = static_cast<int>(std::min<int64_t>(mm::kLanes, out.n - row));
    uint8_t* to = reinterpret_cast<uint8_t*>(dst) + tile * format.bytes;
    std::memset(to, 0, rows < mm::kLanes || out.type == DType::kBF16 ? format.bytes : 0);
    format.pack(static_cast<const uint8_t*>(src) + row * row_bytes, row_bytes, rows, out.k, to);
  }
}

}  // namespace ingot
