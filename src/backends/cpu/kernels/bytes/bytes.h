// Integer products of 8-bit operands, and the conversions around them: bytes become int16 with their zero point taken
// off, so that a product of two and the sum of a pair are exact, and sums are int32.
//
// Operands are pairs of neighbours along k. A, of which a tile takes up to tile_rows rows, is [pairs][rows][2] and is
// broadcast; B is [pairs][kColumns][2] and is read as vectors. An odd k ends with a zero.
// Pure functions of plain values; nothing allocates. Sums wrap.
#pragma once

#include <cstdint>

#include "backends/cpu/kernels/conv/conv.h"
#include "base/cpu_features.h"

namespace ingot::bytes {

inline constexpr int64_t kColumns = 32;  // of B in a panel
inline int64_t pairs_of(int64_t k) { return (k + 1) / 2; }

// Columns of B that a convolution sees: output positions of one group of an image.
// k runs over (kernel position, channel), the channels of each position padded to pairs.
struct Unfolded {
  const ConvShape& s;
  const void* x;  // the group's first channel
  bool is_signed;
  int zero;
  int64_t position;  // of the first column
  int64_t columns;
  int16_t* out;
};

struct Kernels {
  int tile_rows;
  // out[r * ldc + j] = sum over k of a[k][r] b[k][j]; rows in [1, tile_rows], columns in [1, kColumns].
  void (*tile)(const int16_t* a, int64_t rows, const int16_t* b, int64_t pairs, int64_t columns, int32_t* out,
               int64_t ldc);
  void (*unfold)(const Unfolded& job);
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
