// Chooses between GEMM, planes and Winograd, packs weights, splits the work.
#include "backends/cpu/kernels/conv/conv.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "backends/cpu/kernels/conv/winograd.h"
#include "base/thread_pool.h"

namespace ingot {

#define FLOAT_ISA(level, suffix) const ConvKernels& conv_kernels_##suffix();
#include "backends/cpu/kernels/simd/float_isas.def"
#undef FLOAT_ISA
const ConvKernels& conv_kernels_baseline();

namespace {

constexpr int64_t kLanesMax = 16;
constexpr int64_t kBandFloats = 8192;  // with the output row, within the L1 cache

// Unlike the kernels', this is the same for every ISA: scratch is sized once.
int64_t round_up(int64_t v, int64_t to) { return (v + to - 1) / to * to; }

// A kernel of one position that visits every input position once reads the image as a matrix.
bool is_matrix(const ConvShape& s) {
  return s.taps() == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_top == 0 && s.pad_left == 0 &&
         s.out_height == s.height && s.out_width == s.width;
}

Gemm::Offsets offsets_of(const void* owner, int64_t batch) {
  const ConvShape& s = *static_cast<const ConvShape*>(owner);
  const int64_t group = batch % s.group, k = s.group_channels() * s.taps();
  return {.a_packed = group * static_cast<int64_t>(gemm_packed_a_floats(s.group_maps(), k)),
          .b = batch * s.group_channels() * s.in_plane(),
          .c = batch * s.group_maps() * s.out_plane(),
          .row_bias = group * s.group_maps()};
}

void run_gemm(const ConvShape& s, const float* x, const float* packed, const ConvOutput& out, Isa isa,
              std::byte* scratch, int thread, int num_threads) {
  const ConvSource source{s, x};
  Gemm g{.m = s.group_maps(), .n = s.out_plane(), .k = s.group_channels() * s.taps()};
  g.a = {.packed = packed};
  if (is_matrix(s))
    g.b = {.data = x, .k_step = s.in_plane(), .column_step = 1};
  else
    g.b = {.fill = conv_kernels(isa).fill, .source = &source};
  g.c = out.y;
  g.ldc = s.out_plane();
  g.row_bias = out.bias;
  g.residual = out.residual;
  g.act = out.act;
  g.batch = s.batch * s.group;
  g.offsets = offsets_of;
  g.owner = &s;
  gemm(g, isa, scratch, thread, num_threads);
}

float* band_of(const ConvShape& s, std::byte* scratch, int thread) {
  return reinterpret_cast<float*>(scratch) + BandPlan(s).floats() * static_cast<size_t>(thread);
}

void run_depthwise(const ConvShape& s, const float* x, const float* weight, const ConvOutput& out, Isa isa,
                   std::byte* scratch, int thread, int num_threads) {
  const Act kind = out.act.kind;
  const bool clamps = kind == Act::kRelu || kind == Act::kClip, activates = !clamps && kind != Act::kNone;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  PlaneJob job{.s = s, .x = nullptr, .y = nullptr, .band = band_of(s, scratch, thread)};
  job.low = kind == Act::kRelu ? 0 : kind == Act::kClip ? out.act.alpha : -kInfinity;
  job.high = kind == Act::kClip ? out.act.beta : kInfinity;
  const Range planes = partition(s.batch * s.maps, thread, num_threads);
  for (int64_t p = planes.begin; p < planes.end; ++p) {
    const int64_t image = p / s.maps, map = p % s.maps;
    job.x = x + (image * s.channels + map / s.group_maps()) * s.in_plane();
    job.y = out.y + p * s.out_plane();
    job.weight = weight + map * s.taps();
    job.bias = out.bias ? out.bias[map] : 0;
    job.residual = out.residual ? out.residual + p * s.out_plane() : nullptr;
    conv_kernels(isa).depthwise(job);
    if (activates) gemm_kernels(isa).activate(out.act, job.y, s.out_plane());
  }
}

template <class Each>
void for_each_plane(const ConvShape& s, const float* x, float* y, std::byte* scratch, int thread, int num_threads,
                    Each each) {
  PlaneJob job{.s = s, .x = nullptr, .y = nullptr, .band = band_of(s, scratch, thread)};
  const Range planes = partition(s.batch * s.channels, thread, num_threads);
  for (int64_t p = planes.begin; p < planes.end; ++p) {
    job.x = x + p * s.in_plane();
    job.y = y + p * s.out_plane();
    each(job);
  }
}

}  // namespace

BandPlan::BandPlan(const ConvShape& s) {
  const int64_t reach = (s.kernel_w - 1) * s.dilation_w / s.stride_w;
  pitch = s.stride_w * round_up(round_up(s.out_width, kLanesMax) + reach, kLanesMax);
  const int64_t least = (s.kernel_h - 1) * s.dilation_h + 1;
  out_rows = std::clamp<int64_t>((kBandFloats / pitch - least) / s.stride_h + 1, 1, std::max<int64_t>(1, s.out_height));
  rows = (out_rows - 1) * s.stride_h + least;
}

const ConvKernels& conv_kernels(Isa isa) {
#define FLOAT_ISA(level, suffix) \
  if (isa_includes(isa, Isa::level)) return conv_kernels_##suffix();
#include "backends/cpu/kernels/simd/float_isas.def"
#undef FLOAT_ISA
  return conv_kernels_baseline();
}

size_t conv_packed_floats(const ConvShape& s) {
  return s.winograd ? winograd_packed_floats(s) : static_cast<size_t>(s.maps * s.group_channels() * s.taps());
}

void pack_conv(const ConvShape& s, const float* weight, Isa isa, float* out) {
  if (s.winograd) return pack_winograd(s, weight, isa, out);
  if (s.depthwise()) {
    std::copy_n(weight, conv_packed_floats(s), out);
    return;
  }
  const int64_t channels = s.group_channels(), taps = s.taps(), k = channels * taps, m = s.group_maps();
  std::vector<float> by_tap(static_cast<size_t>(m * k));
  for (int64_t g = 0; g < s.group; ++g) {
    const float* from = weight + g * m * k;
    for (int64_t r = 0; r < m; ++r)
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t t = 0; t < taps; ++t)
          by_tap[static_cast<size_t>(r * k + t * channels + c)] = from[r * k + c * taps + t];
    pack_gemm_a({.data = by_tap.data(), .row_step = k, .k_step = 1}, m, k, isa,
                out + g * static_cast<int64_t>(gemm_packed_a_floats(m, k)), 0, 1);
  }
}

size_t conv_scratch_bytes(const ConvShape& s, int num_threads) {
  return s.winograd      ? winograd_scratch_bytes(s, num_threads)
         : s.depthwise() ? pool_scratch_bytes(s, num_threads)
                         : gemm_scratch_bytes(num_threads);
}

void conv(const ConvShape& s, const float* x, const float* packed, const ConvOutput& out, Isa isa, std::byte* scratch,
          int thread, int num_threads) {
  const auto run = s.winograd ? winograd : s.depthwise() ? run_depthwise : run_gemm;
  run(s, x, packed, out, isa, scratch, thread, num_threads);
}

size_t pool_scratch_bytes(const ConvShape& s, int num_threads) {
  return BandPlan(s).floats() * sizeof(float) * static_cast<size_t>(num_threads);
}

void max_pool(const ConvShape& s, const float* x, float* y, Isa isa, std::byte* scratch, int thread, int num_threads) {
  for_each_plane(s, x, y, scratch, thread, num_threads, [&](PlaneJob& job) { conv_kernels(isa).max(job); });
}

void average_pool(const ConvShape& s, const float* x, float* y, const float* count_h, const float* count_w, Isa isa,
                  std::byte* scratch, int thread, int num_threads) {
  for_each_plane(s, x, y, scratch, thread, num_threads, [&](PlaneJob& job) {
    job.count_h = count_h;
    job.count_w = count_w;
    conv_kernels(isa).average(job);
  });
}

}  // namespace ingot
