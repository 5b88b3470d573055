// Decoding of the K types: super-blocks of 256 with small integer sub-block scales.
// Layouts stand in block_formats.h; k_encode.cc holds the encoders.
#include <cstring>

#include "tensor/block_formats.h"
#include "tensor/blocks/codec.h"
#include "tensor/blocks/k_encode.h"
#include "tensor/half.h"

namespace ingot {

void unpack_k4_scales(const uint8_t packed[12], uint8_t scales[8], uint8_t mins[8]) {
  for (int j = 0; j < 4; ++j) {
    scales[j] = packed[j] & 63;
    mins[j] = packed[j + 4] & 63;
    scales[j + 4] = static_cast<uint8_t>((packed[j + 8] & 15) | (packed[j] >> 6) << 4);
    mins[j + 4] = static_cast<uint8_t>(packed[j + 8] >> 4 | (packed[j + 4] >> 6) << 4);
  }
}

void unpack_q3_k_scales(const uint8_t packed[12], int8_t scales[16]) {
  for (int j = 0; j < 16; ++j) {
    const int low = packed[j % 8] >> (j / 8 * 4) & 15;
    const int high = packed[8 + j % 4] >> (j / 4 * 2) & 3;
    scales[j] = static_cast<int8_t>((low | high << 4) - 32);
  }
}

namespace blocks {
namespace {

void decode_q2_k(const BlockQ2_K& b, float* y) {
  const float d = half_to_float(b.d);
  const float dmin = half_to_float(b.dmin);
  for (int s = 0; s < 16; ++s) {  // sub-block s: half s/8, bit pair s/2%4, bytes 16(s%2)…
    const uint8_t* q = b.qs + 32 * (s / 8) + 16 * (s % 2);
    const int shift = s / 2 % 4 * 2;
    const float scale = d * static_cast<float>(b.scales[s] & 15);
    const float min = dmin * static_cast<float>(b.scales[s] >> 4);
    for (int l = 0; l < 16; ++l) y[16 * s + l] = scale * static_cast<float>(q[l] >> shift & 3) - min;
  }
}

void decode_q3_k(const BlockQ3_K& b, float* y) {
  int8_t scales[16];
  unpack_q3_k_scales(b.scales, scales);
  const float d = half_to_float(b.d);
  for (int s = 0; s < 16; ++s) {
    const uint8_t* q = b.qs + 32 * (s / 8) + 16 * (s % 2);
    const uint8_t* h = b.hmask + 16 * (s % 2);
    const int shift = s / 2 % 4 * 2;
    const int bit = s / 2;
    const float scale = d * static_cast<float>(scales[s]);
    for (int l = 0; l < 16; ++l) {
      const int v = (q[l] >> shift & 3) + (h[l] >> bit & 1) * 4 - 4;
      y[16 * s + l] = scale * static_cast<float>(v);
    }
  }
}

void decode_q4_k(const BlockQ4_K& b, float* y) {
  uint8_t scales[8], mins[8];
  unpack_k4_scales(b.scales, scales, mins);
  const float d = half_to_float(b.d);
  const float dmin = half_to_float(b.dmin);
  for (int s = 0; s < 8; s += 2) {
    const uint8_t* q = b.qs + 16 * s;
    const float scale0 = d * scales[s], min0 = dmin * mins[s];
    const float scale1 = d * scales[s + 1], min1 = dmin * mins[s + 1];
    for (int l = 0; l < 32; ++l) y[32 * s + l] = scale0 * static_cast<float>(q[l] & 15) - min0;
    for (int l = 0; l < 32; ++l) y[32 * s + 32 + l] = scale1 * static_cast<float>(q[l] >> 4) - min1;
  }
}

void decode_q5_k(const BlockQ5_K& b, float* y) {
  uint8_t scales[8], mins[8];
  unpack_k4_scales(b.scales, scales, mins);
  const float d = half_to_float(b.d);
  const float dmin = half_to_float(b.dmin);
  for (int s = 0; s < 8; ++s) {
    const uint8_t* q = b.qs + 32 * (s / 2);
    const int shift = s % 2 * 4;
    const float scale = d * scales[s], min = dmin * mins[s];
    for (int l = 0; l < 32; ++l) {
      const int v = (q[l] >> shift & 15) | (b.qh[l] >> s & 1) << 4;
      y[32 * s + l] = scale * static_cast<float>(v) - min;
    }
  }
}

void decode_q6_k(const BlockQ6_K& b, float* y) {
  const float d = half_to_float(b.d);
  for (int s = 0; s < 16; ++s) {
    const int half = s / 8, quarter = s / 2 % 4, odd = s % 2;
    const uint8_t* ql = b.ql + 64 * half + 32 * (quarter % 2) + 16 * odd;
    const uint8_t* qh = b.qh + 32 * half + 16 * odd;
    const int low_shift = quarter / 2 * 4, high_shift = quarter * 2;
    const float scale = d * static_cast<float>(b.scales[s]);
    for (int l = 0; l < 16; ++l) {
      const int v = ((ql[l] >> low_shift & 15) | (qh[l] >> high_shift & 3) << 4) - 32;
      y[16 * s + l] = scale * static_cast<float>(v);
    }
  }
}

}  // namespace

Codec k_codec(DType type) {
  switch (type) {
    case DType::kQ2_K:
      return {decode_blocks<BlockQ2_K, kSuperBlock, decode_q2_k>, encode_blocks<BlockQ2_K, kSuperBlock, encode_q2_k>};
    case DType::kQ3_K:
      return {decode_blocks<BlockQ3_K, kSuperBlock, decode_q3_k>, encode_blocks<BlockQ3_K, kSuperBlock, encode_q3_k>};
    case DType::kQ4_K:
      return {decode_blocks<BlockQ4_K, kSuperBlock, decode_q4_k>, encode_blocks<BlockQ4_K, kSuperBlock, encode_q4_k>};
    case DType::kQ5_K:
      return {decode_blocks<BlockQ5_K, kSuperBlock, decode_q5_k>, encode_blocks<BlockQ5_K, kSuperBlock, encode_q5_k>};
    case DType::kQ6_K:
      return {decode_blocks<BlockQ6_K, kSuperBlock, decode_q6_k>, encode_blocks<BlockQ6_K, kSuperBlock, encode_q6_k>};
    default: return {};
  }
}

}  // namespace blocks
}  // namespace ingot
