// Integer products of 8-bit operands, and the conversions around them: bytes become int16 with their zero point taken
// off, so that a product of two and the sum of a pair are exact, and sums are int32.
// Rows are padded with zeros to a multiple of kStep. Pure functions of plain values; nothing allocates. Sums wrap.
#pragma once

#include <cstdint>

#include "base/cpu_features.h"

namespace ingot::bytes {

inline constexpr int64_t kStep = 32;  // values that every kernel reads at once
inline int64_t padded(int64_t k) { return (k + kStep - 1) / kStep * kStep; }

struct Kernels {
  // out[i * ldc + j] = sum over k of a[i][k] b[j][k]; rows of both are k values apart, k a multiple of kStep.
  void (*products)(const int16_t* a, int64_t rows, const int16_t* b, int64_t columns, int64_t k, int32_t* out,
                   int64_t ldc);
  // saturate(round(x / scale) + zero), halves to even, as u8 (low = 0, high = 255) or i8 bytes.
  void (*quantize)(const float* x, int64_t n, float scale, int zero, int low, int high, uint8_t* out);
  // (x - zero) * scale
  void (*dequantize_u8)(const uint8_t* x, int64_t n, float scale, int zero, float* out);
  void (*dequantize_i8)(const int8_t* x, int64_t n, float scale, int zero, float* out);
  // The least and the greatest of x and 0; NaN counts as nothing.
  void (*range)(const float* x, int64_t n, float* low, float* high);
  void (*to_float)(const int32_t* x, int64_t n, float* out);
};
const Kernels& kernels_for(Isa isa);

}  // namespace ingot::bytes
