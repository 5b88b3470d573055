// Convolutions of 3x3 kernels by Winograd's F(2x2, 3x3) (Lavin and Gray 2015): 16 products where there were 36.
//
// The image is cut into tiles of 4x4 inputs for 2x2 outputs. Each of the 16 elements of the transformed tiles is a
// matrix product over channels: weight [maps, channels] times tiles [channels, tiles]. A chunk of tiles is transformed
// into scratch, multiplied panel of maps by panel, and each panel's results are transformed back while they are in the
// L1 cache. Sums run over channels in order, whatever the batch, the chunk or the thread.
// Results differ from direct sums by rounding only, but an infinite input makes NaN of all outputs of its tiles.
// Threads share only operands: those that share a chunk transform it each for itself. Nothing allocates.
#pragma once

#include "backends/cpu/kernels/conv/conv.h"

namespace ingot {

inline constexpr int64_t kWinogradElements = 16;  // of a transformed tile

// Whether the kernel is one for this, and wide enough to gain by it.
bool winograd_fits(const ConvShape& s);
size_t winograd_packed_floats(const ConvShape& s);
// weight: [maps, channels, 3, 3]
void pack_winograd(const ConvShape& s, const float* weight, Isa isa, float* out);
size_t winograd_scratch_bytes(const ConvShape& s, int num_threads);
void winograd(const ConvShape& s, const float* x, const float* packed, const ConvOutput& out, Isa isa,
              std::byte* scratch, int thread, int num_threads);

// Tiles [begin, end) of an image, numbered row by row.
struct WinogradTiles {
  const ConvShape& s;
  int64_t begin, end;
};

// From the products of some maps back to the image: m[element][row][kWinogradColumns].
inline constexpr int64_t kWinogradColumns = 32, kWinogradRowsMax = 14;
struct WinogradOutput {
  WinogradTiles tiles;
  const float* m;
  int rows;
  float* y;               // of the first map, as are the others
  const float* bias;      // or null
  const float* residual;  // or null
  float low, high;
};

}  // namespace ingot
