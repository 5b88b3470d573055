// Packs the IQ types with blocks of 256 and the ternary types into 4-bit codes: every one of their values is
// d * an integer scale * one of at most 16 small integers, exactly. So one kernel multiplies them all; the price
// is memory, 4.6 bits an element whatever the file has (1.6 to 4.3).
#include <cmath>
#include <cstring>

#include "backends/cpu/kernels/matmul/layout.h"
#include "tensor/block_formats.h"
#include "tensor/half.h"

namespace ingot::mm {
namespace {

// x = d * scale[element / 16] * table[code]
struct Scales {
  float d;
  int8_t of[16];
};

template <class Block>
Scales odd_nibble_scales(const Block& b) {  // IQ2_XS, IQ2_S: d * (1/2 + s) / 4, a nibble for 16 elements
  Scales s{half_to_float(b.d) / 8, {}};
  for (int j = 0; j < 16; ++j) s.of[j] = static_cast<int8_t>(2 * (b.scales[j / 2] >> 4 * (j % 2) & 15) + 1);
  return s;
}
Scales scales_of(const BlockIQ2_XS& b) { return odd_nibble_scales(b); }
Scales scales_of(const BlockIQ2_S& b) { return odd_nibble_scales(b); }
Scales scales_of(const BlockIQ2_XXS& b) {
  Scales s{half_to_float(b.d) / 8, {}};
  for (int j = 0; j < 16; ++j) s.of[j] = static_cast<int8_t>(2 * (b.qs[j / 2 * 2 + 1] >> 28) + 1);
  return s;
}
Scales scales_of(const BlockIQ3_XXS& b) {
  Scales s{half_to_float(b.d) / 4, {}};
  for (int j = 0; j < 16; ++j) s.of[j] = static_cast<int8_t>(2 * (b.signs_scales[j / 2] >> 28) + 1);
  return s;
}
Scales scales_of(const BlockIQ3_S& b) {
  Scales s{half_to_float(b.d), {}};
  for (int j = 0; j < 16; ++j) s.of[j] = static_cast<int8_t>(2 * (b.scales[j / 4] >> 4 * (j / 2 % 2) & 15) + 1);
  return s;
}
Scales scales_of(const BlockIQ1_S& b) {
  Scales s{half_to_float(b.d) / 8, {}};
  for (int j = 0; j < 16; ++j) s.of[j] = static_cast<int8_t>(2 * (b.qh[j / 2] >> 12 & 7) + 1);
  return s;
}
Scales scales_of(const BlockIQ1_M& b) {
  uint32_t bits = 0;
  for (int i = 0; i < 4; ++i) bits |= static_cast<uint32_t>(b.scales[i] >> 12) << 4 * i;
  Scales s{half_to_float(static_cast<uint16_t>(bits)) / 8, {}};
  for (int j = 0; j < 16; ++j) s.of[j] = static_cast<int8_t>(2 * (b.scales[j / 4] >> j % 4 * 3 & 7) + 1);
  return s;
}
Scales scales_of(const BlockIQ4_XS& b) {
  Scales s{half_to_float(b.d), {}};
  for (int j = 0; j < 16; ++j) {
    const int c = j / 2, low = b.scales_l[c / 2] >> 4 * (c % 2) & 15, high = b.scales_h >> 2 * c & 3;
    s.of[j] = static_cast<int8_t>((low | high << 4) - 32);
  }
  return s;
}
template <class Block>
Scales one_scale(const Block& b) {
  Scales s{half_to_float(b.d), {}};
  for (int8_t& scale : s.of) scale = 1;
  return s;
}
Scales scales_of(const BlockTQ1_0& b) { return one_scale(b); }
Scales scales_of(const BlockTQ2_0& b) { return one_scale(b); }

template <class Block>
Scales read_scales(const uint8_t* src) {
  Block block;
  std::memcpy(&block, src, sizeof(block));
  return scales_of(block);
}

struct Format {
  Scales (*scales)(const uint8_t* src);
  const uint8_t* table;
};
Format format_of(DType type) {
  switch (type) {
    case DType::kIQ2_XXS: return {read_scales<BlockIQ2_XXS>, kTableIQ2};
    case DType::kIQ2_XS: return {read_scales<BlockIQ2_XS>, kTableIQ2};
    case DType::kIQ2_S: return {read_scales<BlockIQ2_S>, kTableIQ2};
    case DType::kIQ3_XXS: return {read_scales<BlockIQ3_XXS>, kTableIQ3_XXS};
    case DType::kIQ3_S: return {read_scales<BlockIQ3_S>, kTableIQ3_S};
    case DType::kIQ1_S: return {read_scales<BlockIQ1_S>, kTableIQ1};
    case DType::kIQ1_M: return {read_scales<BlockIQ1_M>, kTableIQ1};
    case DType::kIQ4_XS: return {read_scales<BlockIQ4_XS>, kTableIQ4};
    case DType::kTQ1_0: return {read_scales<BlockTQ1_0>, kTableTernary};
    default: return {read_scales<BlockTQ2_0>, kTableTernary};
  }
}

}  // namespace

void put_codes(DType type, const uint8_t* block, int row, TileCodes& tile) {
  const Format format = format_of(type);
  uint8_t code_of[256] = {};  // by value + 128
  for (int c = 15; c >= 0; --c) code_of[format.table[c]] = static_cast<uint8_t>(c);
  const Scales scales = format.scales(block);
  float x[256];
  decode_row(type, block, x, 256);
  tile.d[row] = scales.d;
  for (int j = 0; j < 16; ++j) {
    tile.scales[j][row] = scales.of[j];
    const float unit = scales.d * static_cast<float>(scales.of[j]);
    const float inverse = unit != 0 && std::isfinite(unit) ? 1 / unit : 0;
    for (int i = 0; i < 16; ++i) {
      const float value = std::nearbyint(x[16 * j + i] * inverse);
      const int index = std::fabs(value) < 128 ? static_cast<int>(value) + 128 : 128;
      tile.quants[j][i / 8][4 * row + i % 4] |= static_cast<uint8_t>(code_of[index] << (i / 4 % 2 * 4));
    }
  }
}

}  // namespace ingot::mm
