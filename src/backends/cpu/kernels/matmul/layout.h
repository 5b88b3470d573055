// The byte layouts that packing, quantizing and the kernels agree on. Internal to this folder.
//
// Packed weights: tiles of 16 output rows, one after the other. In a tile, K is cut into blocks (32 or
// 256 elements); 4 consecutive elements of the 16 rows are a "group", 64 bytes when expanded to bytes:
// byte 4*row + i. Two groups share 64 bytes as nibbles (the even group low), four groups as 2-bit
// fields and eight as bits (the lowest group in the lowest bits).
// Everything is static or constexpr on purpose: files of different ISAs include this header, and an
// inline function emitted by one of them must not be linked into another.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/cpu/kernels/matmul/matmul.h"

namespace ingot::mm {

static constexpr size_t align64(size_t n) { return (n + 63) & ~static_cast<size_t>(63); }
// Bytes of a row of x: an odd number of cache lines, so that the rows of a tile lie in different sets of the L1 cache.
static constexpr size_t odd_lines(size_t n) { return align64(n) | 64; }
static constexpr int kLanes = 16;

// --- types with blocks of 32: a tile is [scales of all blocks, padded to 64 bytes][quants of all blocks]
struct Block32Layout {
  int scale_bytes;  // per block, 16 rows
  int quant_bytes;
  constexpr size_t quants_at(int64_t k) const { return align64(static_cast<size_t>(k / 32) * scale_bytes); }
  constexpr size_t tile_bytes(int64_t k) const { return quants_at(k) + static_cast<size_t>(k / 32) * quant_bytes; }
};
static constexpr Block32Layout kLayoutQ4_0 = {32, 256};  // d[16] f16
static constexpr Block32Layout kLayoutQ4_1 = {64, 256};  // d[16], m[16] f16
static constexpr Block32Layout kLayoutQ5_0 = {32, 320};  // nibbles 4 x 64, then bits 64
static constexpr Block32Layout kLayoutQ5_1 = {64, 320};
static constexpr Block32Layout kLayoutQ8_0 = {32, 512};   // bytes, q + 128
static constexpr Block32Layout kLayoutMXFP4 = {16, 256};  // e[16]

// --- types with blocks of 256: a tile is an array of these
struct TileQ4_K {
  uint16_t d[16], dmin[16];
  uint8_t scales[8][16];
  uint8_t mins[4][16][2];  // of sub-blocks 2p and 2p+1
  uint8_t quants[8][4][64];
};
struct TileQ5_K {
  uint16_t d[16], dmin[16];
  uint8_t scales[8][16];
  uint8_t mins[4][16][2];
  uint8_t quants[8][4][64];
  uint8_t high[8][64];
};
struct TileQ6_K {
  float d[16];
  int8_t scales[16][16];
  uint8_t quants[16][2][64];
  uint8_t high[16][64];
};
struct TileQ2_K {
  uint16_t d[16], dmin[16];
  uint8_t scales[8][16][2];  // low nibble: scale, high: min; of sub-blocks 2p and 2p+1
  uint8_t quants[16][64];
};
struct TileQ3_K {
  float d[16];
  int8_t scales[16][16];
  uint8_t quants[16][64];
  uint8_t high[8][64];  // low nibble: sub-block 2p, one bit a group; high: 2p+1
};
// The IQ and ternary types: nibbles that index a table below.
struct TileCodes {
  float d[16];
  int8_t scales[16][16];
  uint8_t quants[16][2][64];
};
static_assert(sizeof(TileCodes) % 64 == 0 && sizeof(TileQ4_K) % 64 == 0 && sizeof(TileQ5_K) % 64 == 0 &&
              sizeof(TileQ6_K) % 64 == 0 && sizeof(TileQ2_K) % 64 == 0 && sizeof(TileQ3_K) % 64 == 0);

// Packs one block of 256 into a row of a tile that was zero there.
void put_codes(DType type, const uint8_t* block, int row, TileCodes& tile);

// 4-bit codebooks, each value + 128; past the last value a table repeats 128.
alignas(16) static constexpr uint8_t kTableIQ4[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                                      129, 141, 153, 166, 181, 197, 217, 241};
alignas(16) static constexpr uint8_t kTableMXFP4[16] = {128, 129, 130, 131, 132, 134, 136, 140,
                                                        128, 127, 126, 125, 124, 122, 120, 116};
alignas(16) static constexpr uint8_t kTableIQ2[16] = {85,  103, 120, 136, 153, 171, 128, 128,
                                                      128, 128, 128, 128, 128, 128, 128, 128};
alignas(16) static constexpr uint8_t kTableIQ3_XXS[16] = {66,  76,  84,  92,  100, 108, 116, 124,
                                                          132, 140, 148, 156, 164, 172, 180, 190};
alignas(16) static constexpr uint8_t kTableIQ3_S[16] = {113, 115, 117, 119, 121, 123, 125, 127,
                                                        129, 131, 133, 135, 137, 139, 141, 143};
alignas(16) static constexpr uint8_t kTableIQ1[16] = {119, 121, 127, 129, 135, 137, 128, 128,
                                                      128, 128, 128, 128, 128, 128, 128, 128};
alignas(16) static constexpr uint8_t kTableTernary[16] = {127, 128, 129, 130, 128, 128, 128, 128,
                                                          128, 128, 128, 128, 128, 128, 128, 128};

// --- activations: a row is int8[k], then the arrays below
struct Act32 {  // per block of 32
  size_t d_at, neg_at, sum_at, bytes;
  explicit constexpr Act32(int64_t k)
      : d_at(align64(k)),
        neg_at(d_at + k / 32 * 4),    // int32: -128 * sum(q), what a weight's offset of 128 adds too much
        sum_at(neg_at + k / 32 * 4),  // float: d * sum(q)
        bytes(odd_lines(sum_at + k / 32 * 4)) {}
};
struct Act256 {  // per block of 256
  size_t d_at, neg_at, sum16_at, sum32_at, bytes;
  explicit constexpr Act256(int64_t k)
      : d_at(static_cast<size_t>(k)),
        neg_at(d_at + k / 256 * 4),         // int32[16]: -32 * sum(q) of 16 elements
        sum16_at(neg_at + k / 256 * 64),    // int16[16]: sums of 16 elements
        sum32_at(sum16_at + k / 256 * 32),  // int16[8]: sums of 32 elements
        bytes(odd_lines(sum32_at + k / 256 * 16)) {}
};

// --- float weights: a tile is [k][16] f32 or f16, or [(k + 1) / 2][16][2] bf16

// Bytes of a packed tile; 0 if the type cannot be packed.
size_t tile_bytes(DType type, int64_t k);

// One thread's share of one multiplication.
struct Job {
  const uint8_t* w;  // tile 0
  size_t tile_bytes;
  int64_t n, k;
  const uint8_t* x;  // row 0
  size_t x_stride;   // bytes
  int64_t row_begin, row_end, tile_begin, tile_end;
  float* y;
  int64_t ldy;
  const float* bias;
  DType type;
  int block;                 // elements of a block of this type
  float* partial = nullptr;  // of a panel: its sums so far, see loops.inc
  void (*decode)(DType type, const void* src, float* dst, int64_t n);
};
using RunFn = void (*)(const Job&);
using QuantizeFn = void (*)(const float* x, int64_t k, uint8_t* out);  // one row

// Every kernel of kernels.def: void q4_0_avx512(const Job&); ...
#define MATMUL_KERNEL(dtype, name, act, isa, suffix) void name##_##suffix(const Job& job);
#include "backends/cpu/kernels/matmul/kernels.def"
#undef MATMUL_KERNEL

// What each float instruction set has besides.
struct FloatKernels {
  RunFn decode;  // for types without a kernel: tiles are 16 rows as in the file, decoded to float32 piece by piece
  QuantizeFn to_bf16, to_block32, to_block256;
};
#define FLOAT_ISA(level, suffix) FloatKernels float_kernels_##suffix();
#include "backends/cpu/kernels/simd/float_isas.def"
#undef FLOAT_ISA
FloatKernels float_kernels_baseline();

}  // namespace ingot::mm
