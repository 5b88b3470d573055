// 4-bit floats (e2m1) with a scale byte: MXFP4 (a power of two per 32) and NVFP4 (unsigned e4m3 per 16).
// Source: OCP Microscaling Formats 1.0; the byte order is GGUF's.
#include <algorithm>
#include <bit>
#include <cmath>

#include "tensor/block_formats.h"
#include "tensor/blocks/codec.h"

namespace ingot {

float e8m0_to_float(uint8_t e) {
  if (e == 0) return 0x1p-127f;
  return std::bit_cast<float>(e == 255 ? 0x7fc00000u : static_cast<uint32_t>(e) << 23);
}

float e8m0_to_float_half(uint8_t e) {
  return std::bit_cast<float>(e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23);
}

float ue4m3_to_float(uint8_t bits) {
  const int exponent = bits >> 3 & 15;
  const float mantissa = static_cast<float>(bits & 7);
  if (bits == 0x7f) return 0;
  if (exponent == 0) return mantissa * 0x1p-9f;
  return std::bit_cast<float>(static_cast<uint32_t>(exponent + 120) << 23) * (1 + mantissa / 8);
}

namespace blocks {
namespace {

void decode_mxfp4(const BlockMXFP4& b, float* y) {
  const float d = e8m0_to_float_half(b.e);
  float table[16];
  for (int v = 0; v < 16; ++v) table[v] = d * static_cast<float>(kFp4Values[v]);
  for (int l = 0; l < 16; ++l) y[l] = table[b.qs[l] & 15];
  for (int l = 0; l < 16; ++l) y[l + 16] = table[b.qs[l] >> 4];
}

void decode_nvfp4(const BlockNVFP4& b, float* y) {
  for (int s = 0; s < 4; ++s) {
    const float d = ue4m3_to_float(b.d[s]) * 0.5f;
    float table[16];
    for (int v = 0; v < 16; ++v) table[v] = d * static_cast<float>(kFp4Values[v]);
    for (int l = 0; l < 8; ++l) y[16 * s + l] = table[b.qs[8 * s + l] & 15];
    for (int l = 0; l < 8; ++l) y[16 * s + 8 + l] = table[b.qs[8 * s + l] >> 4];
  }
}

// The index into kFp4Values nearest to v, ties to the smaller magnitude.
int nearest_fp4(float v) {
  const float a = std::fabs(v);
  const int code = (a > 0.5f) + (a > 1.5f) + (a > 2.5f) + (a > 3.5f) + (a > 5) + (a > 7) + (a > 10);
  return code | (v < 0 && code ? 8 : 0);
}

float encode_mxfp4_at(int e, const float* x, const float* importance, uint8_t codes[32]) {
  const float d = e8m0_to_float_half(static_cast<uint8_t>(e));
  // A product with the inverse, also a power of two, is exact; below 2^-127 it is split to stay in range.
  const float inverse = e < 3 ? 0x1p125f : 1 / d;
  const float rest = e < 3 ? std::ldexp(1.0f, 3 - e) : 1;
  float error = 0;
  for (int i = 0; i < 32; ++i) {
    const float v = x[i] * inverse * rest;
    codes[i] = static_cast<uint8_t>(nearest_fp4(v));
    const float miss = v - static_cast<float>(kFp4Values[codes[i]]);
    error += miss * miss * (importance ? importance[i] : 1);
  }
  return error;
}

// The largest magnitude should fall on 8 … 12 of the doubled values; the power of two that puts it there,
// and its two neighbours (finer with clipping, coarser), are tried for the least weighted error.
void encode_mxfp4(const float* x, const float* importance, BlockMXFP4& b) {
  constexpr int kLargestScale = 252;  // 12 times it is still finite
  if (importance && std::all_of(importance, importance + 32, [](float w) { return w == 0; })) importance = nullptr;
  float largest = 0;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(x[i]));
  int exponent = 0;  // largest = f * 2^exponent, f in [0.5, 1)
  std::frexp(largest, &exponent);
  const int middle = largest > 0 ? std::clamp(exponent - 3 + 127, 0, kLargestScale) : 0;
  double best = HUGE_VAL;
  b.e = 0;
  uint8_t best_codes[32] = {};
  for (int e : {middle, middle - 1, middle + 1}) {
    if (e < 0 || e > kLargestScale || largest == 0) continue;
    uint8_t codes[32];
    const double error = std::ldexp(encode_mxfp4_at(e, x, importance, codes), 2 * (e - middle));
    if (error >= best) continue;
    best = error;
    b.e = static_cast<uint8_t>(e);
    std::copy_n(codes, 32, best_codes);
  }
  for (int l = 0; l < 16; ++l) b.qs[l] = static_cast<uint8_t>(best_codes[l] | best_codes[l + 16] << 4);
}

}  // namespace

Codec fp4_codec(DType type) {
  switch (type) {
    case DType::kMXFP4:
      return {decode_blocks<BlockMXFP4, 32, decode_mxfp4>, encode_blocks<BlockMXFP4, 32, encode_mxfp4>};
    case DType::kNVFP4: return {decode_blocks<BlockNVFP4, 64, decode_nvfp4>};
    default: return {};
  }
}

}  // namespace blocks
}  // namespace ingot
