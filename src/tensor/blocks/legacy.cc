// The legacy types: one scale (and perhaps a minimum) per 32 elements. Q4_0 Q4_1 Q5_0 Q5_1 Q8_0.
//
// Encoding takes the scale from the extreme values alone and gives the same bytes as the Python `gguf`
// package; importance is ignored. Beyond that package: scales past binary16's range saturate.
#include <algorithm>
#include <cmath>

#include "tensor/block_formats.h"
#include "tensor/blocks/codec.h"
#include "tensor/half.h"

namespace ingot::blocks {
namespace {

constexpr float kHalfMax = 65504;

void decode_q4_0(const BlockQ4_0& b, float* y) {
  const float d = half_to_float(b.d);
  for (int l = 0; l < 16; ++l) y[l] = d * static_cast<float>((b.qs[l] & 15) - 8);
  for (int l = 0; l < 16; ++l) y[l + 16] = d * static_cast<float>((b.qs[l] >> 4) - 8);
}

void decode_q4_1(const BlockQ4_1& b, float* y) {
  const float d = half_to_float(b.d), m = half_to_float(b.m);
  for (int l = 0; l < 16; ++l) y[l] = d * static_cast<float>(b.qs[l] & 15) + m;
  for (int l = 0; l < 16; ++l) y[l + 16] = d * static_cast<float>(b.qs[l] >> 4) + m;
}

// The 32 five-bit values of Q5_0 and Q5_1. The fifth bits: a byte of 0 or 16 for each bit of qh.
void join_q5(uint32_t qh, const uint8_t qs[16], uint8_t q[32]) {
  uint8_t high[32];
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 8; ++j) high[8 * i + j] = (static_cast<uint8_t>(qh >> 8 * i) & 1 << j) ? 16 : 0;
  for (int l = 0; l < 16; ++l) q[l] = (qs[l] & 15) | high[l];
  for (int l = 0; l < 16; ++l) q[l + 16] = static_cast<uint8_t>(qs[l] >> 4 | high[l + 16]);
}

void decode_q5_0(const BlockQ5_0& b, float* y) {
  uint8_t q[32];
  join_q5(b.qh, b.qs, q);
  const float d = half_to_float(b.d);
  for (int l = 0; l < 32; ++l) y[l] = d * static_cast<float>(q[l] - 16);
}

void decode_q5_1(const BlockQ5_1& b, float* y) {
  uint8_t q[32];
  join_q5(b.qh, b.qs, q);
  const float d = half_to_float(b.d), m = half_to_float(b.m);
  for (int l = 0; l < 32; ++l) y[l] = d * static_cast<float>(q[l]) + m;
}

void decode_q8_0(const BlockQ8_0& b, float* y) {
  const float d = half_to_float(b.d);
  for (int l = 0; l < 32; ++l) y[l] = d * static_cast<float>(b.qs[l]);
}

// 1 / d, and 0 where d is so small that its inverse is infinite (its binary16 is 0 then).
float inverse_of(float d) { return std::fabs(d) >= 0x1p-126f ? 1 / d : 0; }

float largest_magnitude(const float* x) {
  float largest = 0;
#pragma omp simd reduction(max : largest)
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(x[i]));
  return largest;
}

// q = trunc((x - offset) * inverse + shift), kept in 0 … top.
void round_up_from(const float* x, float offset, float inverse, float shift, float top, uint8_t q[32]) {
  for (int i = 0; i < 32; ++i)
    q[i] = static_cast<uint8_t>(static_cast<int>(std::min(std::max((x[i] - offset) * inverse + shift, 0.0f), top)));
}

void pack_nibbles(const uint8_t q[32], uint8_t qs[16]) {
  for (int l = 0; l < 16; ++l) qs[l] = static_cast<uint8_t>((q[l] & 15) | q[l + 16] << 4);
}

uint32_t pack_fifth_bits(const uint8_t q[32]) {
  uint32_t qh = 0;
  for (int l = 0; l < 32; ++l) qh |= static_cast<uint32_t>(q[l] >> 4) << l;
  return qh;
}

// Q4_0 and Q5_0: the value of largest magnitude becomes -steps exactly. Returns d.
uint16_t quantize_signed(const float* x, int steps, uint8_t q[32]) {
  const float largest = largest_magnitude(x);
  float extreme = x[0];
  for (int i = 31; i >= 0; --i)
    if (std::fabs(x[i]) == largest) extreme = x[i];
  const float d = std::clamp(extreme / static_cast<float>(-steps), -kHalfMax, kHalfMax);
  round_up_from(x, 0, inverse_of(d), static_cast<float>(steps) + 0.5f, static_cast<float>(2 * steps - 1), q);
  return float_to_half(d);
}

struct ScaleAndMin {
  uint16_t d, m;
};

// Q4_1 and Q5_1: the least value becomes 0, the largest becomes top.
ScaleAndMin quantize_from_min(const float* x, int top, uint8_t q[32]) {
  float low = x[0], high = x[0];
#pragma omp simd reduction(min : low) reduction(max : high)
  for (int i = 0; i < 32; ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
  }
  const float d = std::min((high - low) / static_cast<float>(top), kHalfMax);
  const float m = std::clamp(low, -kHalfMax, kHalfMax);
  round_up_from(x, m, inverse_of(d), 0.5f, static_cast<float>(top), q);
  return {float_to_half(d), float_to_half(m)};
}

void encode_q4_0(const float* x, const float*, BlockQ4_0& b) {
  uint8_t q[32];
  b.d = quantize_signed(x, 8, q);
  pack_nibbles(q, b.qs);
}

void encode_q4_1(const float* x, const float*, BlockQ4_1& b) {
  uint8_t q[32];
  const auto [d, m] = quantize_from_min(x, 15, q);
  b.d = d;
  b.m = m;
  pack_nibbles(q, b.qs);
}

void encode_q5_0(const float* x, const float*, BlockQ5_0& b) {
  uint8_t q[32];
  b.d = quantize_signed(x, 16, q);
  b.qh = pack_fifth_bits(q);
  pack_nibbles(q, b.qs);
}

void encode_q5_1(const float* x, const float*, BlockQ5_1& b) {
  uint8_t q[32];
  const auto [d, m] = quantize_from_min(x, 31, q);
  b.d = d;
  b.m = m;
  b.qh = pack_fifth_bits(q);
  pack_nibbles(q, b.qs);
}

void encode_q8_0(const float* x, const float*, BlockQ8_0& b) {
  const float d = std::min(largest_magnitude(x) / 127, kHalfMax);
  const float inverse = inverse_of(d);
  for (int i = 0; i < 32; ++i) {  // to nearest, halves away from zero
    const float magnitude = std::min(std::fabs(x[i] * inverse), 127.0f);
    const int whole = static_cast<int>(magnitude);
    const int rounded = whole + (magnitude - static_cast<float>(whole) >= 0.5f);
    b.qs[i] = static_cast<int8_t>(x[i] < 0 ? -rounded : rounded);
  }
  b.d = float_to_half(d);
}

}  // namespace

Codec legacy_codec(DType type) {
  switch (type) {
    case DType::kQ4_0: return {decode_blocks<BlockQ4_0, 32, decode_q4_0>, encode_blocks<BlockQ4_0, 32, encode_q4_0>};
    case DType::kQ4_1: return {decode_blocks<BlockQ4_1, 32, decode_q4_1>, encode_blocks<BlockQ4_1, 32, encode_q4_1>};
    case DType::kQ5_0: return {decode_blocks<BlockQ5_0, 32, decode_q5_0>, encode_blocks<BlockQ5_0, 32, encode_q5_0>};
    case DType::kQ5_1: return {decode_blocks<BlockQ5_1, 32, decode_q5_1>, encode_blocks<BlockQ5_1, 32, encode_q5_1>};
    case DType::kQ8_0: return {decode_blocks<BlockQ8_0, 32, decode_q8_0>, encode_blocks<BlockQ8_0, 32, encode_q8_0>};
    default: return {};
  }
}

}  // namespace ingot::blocks
