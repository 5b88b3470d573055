// Decoding of the IQ types: groups of 4 or 8 values are entries of a codebook (iq_grids.h), times a
// small sub-block scale and the block's d. IQ4 has a codebook of single values; iq4_encode.cc encodes it.
//
// IQ2 and IQ3 keep signs apart from magnitudes. Where only 7 sign bits are stored for 8 values, the eighth
// makes the number of minus signs even.
#include <array>
#include <bit>
#include <cstring>

#include "tensor/block_formats.h"
#include "tensor/blocks/codec.h"
#include "tensor/blocks/iq4_encode.h"
#include "tensor/blocks/iq_grids.h"
#include "tensor/half.h"

namespace ingot::blocks {
namespace {

// Spreads the bits of a byte over eight bytes, each 0 or 255.
constexpr std::array<uint64_t, 256> kByteMasks = [] {
  std::array<uint64_t, 256> masks{};
  for (uint64_t signs = 0; signs < 256; ++signs)
    for (int k = 0; k < 8; ++k)
      if (signs >> k & 1) masks[signs] |= uint64_t{0xff} << (8 * k);
  return masks;
}();

constexpr uint64_t kOnes = 0x0101010101010101;

// Eight magnitudes 1 … 127, negated where `signs` has a bit: two's complement in each byte, which cannot carry.
uint64_t with_signs(uint64_t magnitudes, uint32_t signs) {
  const uint64_t mask = kByteMasks[signs & 255];
  return (magnitudes ^ mask) + (mask & kOnes);
}
uint32_t with_even_sign(uint32_t seven) {
  return (seven & 127) | (static_cast<uint32_t>(std::popcount(seven & 127)) & 1) << 7;
}

void scale8(uint64_t values, float scale, float* y) {
  int8_t v[8];
  std::memcpy(v, &values, 8);
  for (int k = 0; k < 8; ++k) y[k] = scale * static_cast<float>(v[k]);
}

// IQ1: values -1, 0, 1, shifted together by an eighth up or down.
void scale8_shifted(uint64_t values, float scale, float shift, float* y) {
  int8_t v[8];
  std::memcpy(v, &values, 8);
  for (int k = 0; k < 8; ++k) y[k] = scale * (static_cast<float>(v[k]) + shift);
}

constexpr float kIq1Shift = 0.125f;

void decode_iq1_s(const BlockIQ1_S& b, float* y) {
  const float d = half_to_float(b.d);
  for (int s = 0; s < 8; ++s) {
    const uint32_t qh = b.qh[s];
    const float scale = d * static_cast<float>(2 * (qh >> 12 & 7) + 1);
    const float shift = qh & 0x8000 ? -kIq1Shift : kIq1Shift;
    for (int g = 0; g < 4; ++g)
      scale8_shifted(kIq1Grid[b.qs[4 * s + g] | (qh >> 3 * g & 7) << 8], scale, shift, y + 32 * s + 8 * g);
  }
}

void decode_iq1_m(const BlockIQ1_M& b, float* y) {
  uint32_t d_bits = 0;
  for (int i = 0; i < 4; ++i) d_bits |= static_cast<uint32_t>(b.scales[i] >> 12) << 4 * i;
  const float d = half_to_float(static_cast<uint16_t>(d_bits));
  for (int s = 0; s < 16; ++s) {
    const float scale = d * static_cast<float>(2 * (b.scales[s / 4] >> s % 4 * 3 & 7) + 1);
    for (int g = 0; g < 2; ++g) {
      const uint32_t high = b.qh[s] >> 4 * g & 15;
      const float shift = high & 8 ? -kIq1Shift : kIq1Shift;
      scale8_shifted(kIq1Grid[b.qs[2 * s + g] | (high & 7) << 8], scale, shift, y + 16 * s + 8 * g);
    }
  }
}

// The 4-bit sub-block scales of the IQ2 types: d * (1/2 + s) / 4.
float iq2_scale(float d, uint32_t s) { return d * (0.5f + static_cast<float>(s)) * 0.25f; }

void decode_iq2_xxs(const BlockIQ2_XXS& b, float* y) {
  const float d = half_to_float(b.d);
  for (int s = 0; s < 8; ++s) {
    const uint32_t indices = b.qs[2 * s], signs = b.qs[2 * s + 1];
    const float scale = iq2_scale(d, signs >> 28);
    for (int g = 0; g < 4; ++g)
      scale8(with_signs(kIq2XxsGrid[indices >> 8 * g & 255], with_even_sign(signs >> 7 * g)), scale,
             y + 32 * s + 8 * g);
  }
}

void decode_iq2_xs(const BlockIQ2_XS& b, float* y) {
  const float d = half_to_float(b.d);
  for (int g = 0; g < 32; ++g) {
    const uint32_t q = b.qs[g];
    const float scale = iq2_scale(d, b.scales[g / 4] >> g / 2 % 2 * 4 & 15);
    scale8(with_signs(kIq2XsGrid[q & 511], with_even_sign(q >> 9)), scale, y + 8 * g);
  }
}

void decode_iq2_s(const BlockIQ2_S& b, float* y) {
  const float d = half_to_float(b.d);
  for (int g = 0; g < 32; ++g) {
    const uint32_t index = b.qs[g] | (b.qh[g / 4] >> g % 4 * 2 & 3u) << 8;
    const float scale = iq2_scale(d, b.scales[g / 4] >> g / 2 % 2 * 4 & 15);
    scale8(with_signs(kIq2SGrid[index], b.signs[g]), scale, y + 8 * g);
  }
}

void decode_iq3_xxs(const BlockIQ3_XXS& b, float* y) {
  const float d = half_to_float(b.d);
  for (int s = 0; s < 8; ++s) {
    const uint32_t signs = b.signs_scales[s];
    const float scale = d * (0.5f + static_cast<float>(signs >> 28)) * 0.5f;
    for (int g = 0; g < 4; ++g) {
      const uint8_t* q = b.qs + 8 * s + 2 * g;
      const uint64_t values = kIq3XxsGrid[q[0]] | static_cast<uint64_t>(kIq3XxsGrid[q[1]]) << 32;
      scale8(with_signs(values, with_even_sign(signs >> 7 * g)), scale, y + 32 * s + 8 * g);
    }
  }
}

void decode_iq3_s(const BlockIQ3_S& b, float* y) {
  const float d = half_to_float(b.d);
  for (int s = 0; s < 8; ++s) {
    const float scale = d * static_cast<float>(1 + 2 * (b.scales[s / 2] >> s % 2 * 4 & 15));
    for (int g = 0; g < 4; ++g) {
      const uint8_t* q = b.qs + 8 * s + 2 * g;
      const uint32_t high = b.qh[s] >> 2 * g;
      const uint64_t values =
          kIq3SGrid[q[0] | (high & 1) << 8] | static_cast<uint64_t>(kIq3SGrid[q[1] | (high & 2) << 7]) << 32;
      scale8(with_signs(values, b.signs[4 * s + g]), scale, y + 32 * s + 8 * g);
    }
  }
}

// Sixteen bytes of nibbles: lo to y[0…15], hi to y[16…31].
void decode_iq4_nibbles(const uint8_t* qs, float scale, float* y) {
  float table[16];
  for (int v = 0; v < 16; ++v) table[v] = scale * static_cast<float>(kIq4Values[v]);
  for (int l = 0; l < 16; ++l) y[l] = table[qs[l] & 15];
  for (int l = 0; l < 16; ++l) y[l + 16] = table[qs[l] >> 4];
}

void decode_iq4_nl(const BlockIQ4_NL& b, float* y) { decode_iq4_nibbles(b.qs, half_to_float(b.d), y); }

void decode_iq4_xs(const BlockIQ4_XS& b, float* y) {
  const float d = half_to_float(b.d);
  for (int s = 0; s < 8; ++s) {
    const int scale = (b.scales_l[s / 2] >> s % 2 * 4 & 15) | (b.scales_h >> 2 * s & 3) << 4;
    decode_iq4_nibbles(b.qs + 16 * s, d * static_cast<float>(scale - 32), y + 32 * s);
  }
}

}  // namespace

Codec iq_codec(DType type) {
  constexpr int N = kSuperBlock;
  switch (type) {
    case DType::kIQ1_S: return {decode_blocks<BlockIQ1_S, N, decode_iq1_s>};
    case DType::kIQ1_M: return {decode_blocks<BlockIQ1_M, N, decode_iq1_m>};
    case DType::kIQ2_XXS: return {decode_blocks<BlockIQ2_XXS, N, decode_iq2_xxs>};
    case DType::kIQ2_XS: return {decode_blocks<BlockIQ2_XS, N, decode_iq2_xs>};
    case DType::kIQ2_S: return {decode_blocks<BlockIQ2_S, N, decode_iq2_s>};
    case DType::kIQ3_XXS: return {decode_blocks<BlockIQ3_XXS, N, decode_iq3_xxs>};
    case DType::kIQ3_S: return {decode_blocks<BlockIQ3_S, N, decode_iq3_s>};
    case DType::kIQ4_NL:
      return {decode_blocks<BlockIQ4_NL, 32, decode_iq4_nl>, encode_blocks<BlockIQ4_NL, 32, encode_iq4_nl>};
    case DType::kIQ4_XS: return {decode_blocks<BlockIQ4_XS, N, decode_iq4_xs>};
    default: return {};
  }
}

}  // namespace ingot::blocks
