#include "backends/cpu/kernels/conv/winograd.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "base/thread_pool.h"

namespace ingot {
namespace {

constexpr int64_t kLanesMax = 16;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t num_tiles(const ConvShape& s) { return ceil_div(s.out_height, 2) * ceil_div(s.out_width, 2); }

// Tiles that are transformed at once: with the weights of a panel of maps, within the L2 cache.
int64_t chunk_tiles(const ConvShape& s) { return s.channels > 256 ? 32 : 64; }
// Between rows of transformed tiles: with room for what the last vector writes too much.
int64_t pitch_of(const ConvShape& s) { return chunk_tiles(s) + kLanesMax; }

size_t tile_floats(const ConvShape& s) { return static_cast<size_t>(kWinogradElements * s.channels * pitch_of(s)); }
constexpr size_t kProductFloats = kWinogradElements * kWinogradRowsMax * kWinogradColumns;

// G g G^T, G = [1 0 0; 1/2 1/2 1/2; 1/2 -1/2 1/2; 0 0 1].
void transform_kernel(const float* g, double (&u)[kWinogradElements]) {
  const auto column = [](double a, double b, double c, double(&out)[4]) {
    out[0] = a;
    out[1] = (a + b + c) / 2;
    out[2] = (a - b + c) / 2;
    out[3] = c;
  };
  double half[3][4];
  for (int j = 0; j < 3; ++j) column(g[j], g[3 + j], g[6 + j], half[j]);
  for (int i = 0; i < 4; ++i) {
    double row[4];
    column(half[0][i], half[1][i], half[2][i], row);
    std::copy_n(row, 4, u + 4 * i);
  }
}

// One chunk of one image against panels [rows.begin, rows.end) of maps.
struct Chunk {
  WinogradTiles tiles;
  const float* x;
  float* y;
  const float* residual;
};

class Worker {
 public:
  Worker(const ConvShape& s, const float* packed, const ConvOutput& out, Isa isa, float* scratch)
      : s_(s),
        packed_(packed),
        out_(out),
        gemm_(gemm_kernels(isa)),
        conv_(conv_kernels(isa)),
        split_(s.maps, gemm_.tile_rows),
        tiles_(scratch),
        products_(scratch + tile_floats(s)) {
    const Act kind = out.act.kind;
    if (kind == Act::kRelu) low_ = 0;
    if (kind == Act::kClip) low_ = out.act.alpha, high_ = out.act.beta;
    activates_ = kind != Act::kNone && kind != Act::kRelu && kind != Act::kClip;
  }

  void run(const Chunk& chunk, Range panels) {
    conv_.winograd_input(chunk.tiles, chunk.x, pitch_of(s_), tiles_);
    for (int64_t r = panels.begin; r < panels.end; ++r)
      for (int64_t t = chunk.tiles.begin; t < chunk.tiles.end; t += gemm_.panel_columns)
        panel(chunk, r, t, std::min<int64_t>(gemm_.panel_columns, chunk.tiles.end - t));
  }

 private:
  void panel(const Chunk& chunk, int64_t r, int64_t first, int64_t count) {
    const int n = split_.rows_of(r);
    const int64_t map = r * split_.panel_rows;
    for (int64_t e = 0; e < kWinogradElements; ++e)
      gemm_.tile(n, {.a = packed_ + (map * kWinogradElements + e * n) * s_.channels,
                     .a_step = n,
                     .b = tiles_ + e * s_.channels * pitch_of(s_) + first - chunk.tiles.begin,
                     .b_step = pitch_of(s_),
                     .k = s_.channels,
                     .c = products_ + e * kWinogradRowsMax * kWinogradColumns,
                     .ldc = kWinogradColumns,
                     .columns = static_cast<int>(count),
                     .start = true,
                     .finish = false,
                     .alpha = 1,
                     .low = 0,
                     .high = 0,
                     .bias = 0,
                     .row_bias = nullptr,
                     .column_bias = nullptr,
                     .residual = nullptr});
    conv_.winograd_output({.tiles = {s_, first, first + count},
                           .m = products_,
                           .rows = n,
                           .y = chunk.y + map * s_.out_plane(),
                           .bias = out_.bias ? out_.bias + map : nullptr,
                           .residual = chunk.residual ? chunk.residual + map * s_.out_plane() : nullptr,
                           .low = low_,
                           .high = high_});
    if (activates_) activate(chunk.y + map * s_.out_plane(), n, first, first + count);
  }

  // The outputs of tiles [begin, end) of n maps.
  void activate(float* y, int n, int64_t begin, int64_t end) {
    const int64_t across = ceil_div(s_.out_width, 2);
    for (int64_t t = begin; t < end;) {
      const int64_t row = t / across, x = t - row * across, count = std::min(across - x, end - t);
      const int64_t columns = std::min(2 * count, s_.out_width - 2 * x);
      for (int64_t out_row = 2 * row; out_row < std::min(2 * row + 2, s_.out_height); ++out_row)
        for (int i = 0; i < n; ++i)
          gemm_.activate(out_.act, y + i * s_.out_plane() + out_row * s_.out_width + 2 * x, columns);
      t += count;
    }
  }

  const ConvShape& s_;
  const float* packed_;
  const ConvOutput& out_;
  const GemmKernels& gemm_;
  const ConvKernels& conv_;
  const PanelSplit split_;
  float *tiles_, *products_;
  float low_ = -std::numeric_limits<float>::infinity(), high_ = std::numeric_limits<float>::infinity();
  bool activates_ = false;
};

}  // namespace

bool winograd_fits(const ConvShape& s) {
  constexpr int64_t kChannelsMin = 16;  // below, the transforms cost what the products save
  return s.kernel_h == 3 && s.kernel_w == 3 && s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1 &&
         s.dilation_w == 1 && s.group == 1 && s.channels >= kChannelsMin && s.maps >= kChannelsMin;
}

size_t winograd_packed_floats(const ConvShape& s) {
  return static_cast<size_t>(kWinogradElements * s.maps * s.channels);
}

// [panel of maps][element][channel][map]
void pack_winograd(const ConvShape& s, const float* weight, Isa isa, float* out) {
  const GemmKernels& kernels = gemm_kernels(isa);
  const PanelSplit split(s.maps, kernels.tile_rows);
  for (int64_t r = 0; r < split.panels; ++r) {
    const int n = split.rows_of(r);
    const int64_t map = r * split.panel_rows;
    for (int i = 0; i < n; ++i)
      for (int64_t c = 0; c < s.channels; ++c) {
        double u[kWinogradElements];
        transform_kernel(weight + ((map + i) * s.channels + c) * 9, u);
        for (int64_t e = 0; e < kWinogradElements; ++e)
          out[((map * kWinogradElements + e * n) * s.channels) + c * n + i] = static_cast<float>(u[e]);
      }
  }
}

size_t winograd_scratch_bytes(const ConvShape& s, int num_threads) {
  return (tile_floats(s) + kProductFloats) * sizeof(float) * static_cast<size_t>(num_threads);
}

void winograd(const ConvShape& s, const float* x, const float* packed, const ConvOutput& out, Isa isa,
              std::byte* scratch, int thread, int num_threads) {
  const int64_t size = chunk_tiles(s), chunks = ceil_div(num_tiles(s), size);
  const PanelSplit panels(s.maps, gemm_kernels(isa).tile_rows);
  const ThreadSplit split = split_threads(panels.panels, chunks * s.batch, num_threads);
  const Range mine = partition(chunks * s.batch, thread % split.over_b, split.over_b);
  const Range rows = partition(panels.panels, thread / split.over_b, split.over_a);
  if (rows.begin == rows.end) return;
  Worker worker(s, packed, out, isa,
                reinterpret_cast<float*>(scratch) + (tile_floats(s) + kProductFloats) * static_cast<size_t>(thread));
  for (int64_t i = mine.begin; i < mine.end; ++i) {
    const int64_t image = i / chunks, begin = (i - image * chunks) * size, plane = image * s.maps * s.out_plane();
    worker.run({.tiles = {s, begin, std::min(begin + size, num_tiles(s))},
                .x = x + image * s.channels * s.in_plane(),
                .y = out.y + plane,
                .residual = out.residual ? out.residual + plane : nullptr},
               rows);
  }
}

}  // namespace ingot
