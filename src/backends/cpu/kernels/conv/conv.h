// Convolution and pooling over two spatial dimensions, float32, [N, C, H, W] in and out.
//
// General convolution is a GEMM whose right operand is read from the image while panels are packed (no im2col
// buffer): k runs over (kernel position, channel), columns over output positions. One input channel per group
// (depthwise) and pooling walk planes: a band of rows is copied with its padding, columns split by stride, so that
// every tap is a contiguous vector. Kernels of 3x3 over many channels: winograd.h. All have one fixed order of
// summation per output element. All threads call with the same arguments; nothing allocates; threads share only
// operands: no barriers.
#pragma once

#include "backends/cpu/kernels/gemm/gemm.h"

namespace ingot {

struct ConvShape {
  int64_t batch, channels, height, width;  // of the input
  int64_t maps, out_height, out_width;     // of the output
  int64_t kernel_h, kernel_w;
  int64_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, pad_top = 0, pad_left = 0;
  int64_t group = 1;
  bool winograd = false;  // by winograd.h, which winograd_fits()

  // Inlined always: this header is compiled for several instruction sets.
  [[gnu::always_inline]] int64_t in_plane() const { return height * width; }
  [[gnu::always_inline]] int64_t out_plane() const { return out_height * out_width; }
  [[gnu::always_inline]] int64_t group_channels() const { return channels / group; }
  [[gnu::always_inline]] int64_t group_maps() const { return maps / group; }
  [[gnu::always_inline]] int64_t taps() const { return kernel_h * kernel_w; }
  [[gnu::always_inline]] bool depthwise() const { return group > 1 && group == channels; }
};

// What follows the sums of one output.
struct ConvOutput {
  float* y;
  const float* bias;      // [maps] or null
  const float* residual;  // like y, or null
  ActSpec act;
};

// Floats of the packed weight; depends on the number of maps, channels, groups, the kernel and `winograd` only.
size_t conv_packed_floats(const ConvShape& s);
// weight: [maps, channels / group, kernel_h, kernel_w]
void pack_conv(const ConvShape& s, const float* weight, Isa isa, float* out);
size_t conv_scratch_bytes(const ConvShape& s, int num_threads);
void conv(const ConvShape& s, const float* x, const float* packed, const ConvOutput& out, Isa isa, std::byte* scratch,
          int thread, int num_threads);

// Pooling: `maps` = `channels`, group is ignored. Averages divide by count_h[row] * count_w[column].
size_t pool_scratch_bytes(const ConvShape& s, int num_threads);
void max_pool(const ConvShape& s, const float* x, float* y, Isa isa, std::byte* scratch, int thread, int num_threads);
void average_pool(const ConvShape& s, const float* x, float* y, const float* count_h, const float* count_w, Isa isa,
                  std::byte* scratch, int thread, int num_threads);

// One plane of a windowed operation.
struct PlaneJob {
  const ConvShape& s;
  const float* x;
  float* y;
  float* band;  // scratch
  // depthwise
  const float* weight = nullptr;
  float bias = 0, low = 0, high = 0;
  const float* residual = nullptr;
  // averages
  const float *count_h = nullptr, *count_w = nullptr;
};

struct WinogradTiles;  // winograd.h
struct WinogradOutput;

struct ConvKernels {
  // Columns of the GEMM's right operand; source is a ConvSource.
  void (*fill)(const void* source, int64_t batch, int64_t k_begin, int64_t k_count, int64_t column, int columns,
               float* out);
  void (*depthwise)(const PlaneJob& job);
  void (*max)(const PlaneJob& job);
  void (*average)(const PlaneJob& job);
  // Tiles of all channels of the image x as v[element][channel][pitch], and back.
  void (*winograd_input)(const WinogradTiles& tiles, const float* x, int64_t pitch, float* v);
  void (*winograd_output)(const WinogradOutput& output);
};
const ConvKernels& conv_kernels(Isa isa);

struct ConvSource {
  const ConvShape& s;
  const float* x;
};

// Rows of a band and its layout: [rows][stride_w][pitch].
struct BandPlan {
  int64_t out_rows, rows, pitch;
  [[gnu::always_inline]] size_t floats() const { return static_cast<size_t>(rows * pitch); }
  explicit BandPlan(const ConvShape& s);
};

}  // namespace ingot
