// The types of one or two bits without a codebook: Q1_0, Q2_0, TQ1_0, TQ2_0.
#include <cmath>

#include "tensor/block_formats.h"
#include "tensor/blocks/codec.h"
#include "tensor/half.h"

namespace ingot::blocks {
namespace {

void decode_q1_0(const BlockQ1_0& b, float* y) {
  const float d = half_to_float(b.d);
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j) y[8 * i + j] = (b.qs[i] >> j & 1) ? d : -d;
}

void decode_q2_0(const BlockQ2_0& b, float* y) {
  const float d = half_to_float(b.d);
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 4; ++j) y[4 * i + j] = d * static_cast<float>((b.qs[i] >> 2 * j & 3) - 1);
}

// A byte of TQ1_0 is the fraction 0.t0 t1 t2 t3 t4 of 256 in base 3, rounded up: a product with 3^k brings
// digit k before the point (mod 256), and a last product with 3 brings it into bits 8 and up.
constexpr uint8_t kPowers[5] = {1, 3, 9, 27, 81};
constexpr int kRuns[3][3] = {{0, 32, 5}, {32, 16, 5}, {48, 4, 4}};  // first byte, bytes, trits a byte

void decode_tq1_0(const BlockTQ1_0& b, float* y) {
  const float d = half_to_float(b.d);
  const uint8_t* bytes = b.qs;  // qh follows qs
  static_assert(offsetof(BlockTQ1_0, qh) == 48);
  uint8_t all[52];
  for (int i = 0; i < 48; ++i) all[i] = bytes[i];
  for (int i = 0; i < 4; ++i) all[48 + i] = b.qh[i];
  for (const auto& [first, count, trits] : kRuns)
    for (int t = 0; t < trits; ++t) {
      for (int l = 0; l < count; ++l) {
        const auto fraction = static_cast<uint8_t>(all[first + l] * kPowers[t]);
        y[l] = d * static_cast<float>((fraction * 3 >> 8) - 1);
      }
      y += count;
    }
}

void decode_tq2_0(const BlockTQ2_0& b, float* y) {
  const float d = half_to_float(b.d);
  for (int c = 0; c < 8; ++c) {
    const uint8_t* q = b.qs + 32 * (c / 4);
    const int shift = c % 4 * 2;
    for (int l = 0; l < 32; ++l) y[32 * c + l] = d * static_cast<float>((q[l] >> shift & 3) - 1);
  }
}

// Rounds x / max|x| to -1, 0 or 1, plus 1; returns the scale's binary16.
uint16_t to_trits(const float* x, uint8_t trits[kSuperBlock]) {
  float d = 0;
  for (int i = 0; i < kSuperBlock; ++i) d = std::max(d, std::fabs(x[i]));
  const float inverse = d >= 0x1p-126f ? 1 / d : 0;
  for (int i = 0; i < kSuperBlock; ++i)
    trits[i] = static_cast<uint8_t>(1 + static_cast<int>(std::round(x[i] * inverse)));
  return float_to_half(std::min(d, 65504.0f));
}

void encode_tq1_0(const float* x, const float*, BlockTQ1_0& b) {
  uint8_t trits[kSuperBlock];
  b.d = to_trits(x, trits);
  const uint8_t* from = trits;
  for (const auto& [first, count, digits] : kRuns) {
    for (int l = 0; l < count; ++l) {
      int value = 0;
      for (int t = 0; t < 5; ++t) value = value * 3 + (t < digits ? from[t * count + l] : 0);
      const auto fraction = static_cast<uint8_t>((value * 256 + 242) / 243);
      (first < 48 ? b.qs[first + l] : b.qh[l]) = fraction;
    }
    from += count * digits;
  }
}

void encode_tq2_0(const float* x, const float*, BlockTQ2_0& b) {
  uint8_t trits[kSuperBlock];
  b.d = to_trits(x, trits);
  for (int h = 0; h < 2; ++h)
    for (int l = 0; l < 32; ++l) {
      const uint8_t* t = trits + 128 * h + l;
      b.qs[32 * h + l] = static_cast<uint8_t>(t[0] | t[32] << 2 | t[64] << 4 | t[96] << 6);
    }
}

}  // namespace

Codec ternary_codec(DType type) {
  switch (type) {
    case DType::kQ1_0: return {decode_blocks<BlockQ1_0, 128, decode_q1_0>};
    case DType::kQ2_0: return {decode_blocks<BlockQ2_0, 64, decode_q2_0>};
    case DType::kTQ1_0:
      return {decode_blocks<BlockTQ1_0, kSuperBlock, decode_tq1_0>,
              encode_blocks<BlockTQ1_0, kSuperBlock, encode_tq1_0>};
    case DType::kTQ2_0:
      return {decode_blocks<BlockTQ2_0, kSuperBlock, decode_tq2_0>,
              encode_blocks<BlockTQ2_0, kSuperBlock, encode_tq2_0>};
    default: return {};
  }
}

}  // namespace ingot::blocks
