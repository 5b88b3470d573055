// Convolutions and pools of the models in docs/perf/onnx.md, one layer each: GFLOP/s, or GB/s of a pool's input.
#include "backends/cpu/kernels/conv/winograd.h"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "tensor/tensor.h"

namespace ingot {
namespace {

struct Layer {
  std::string name;
  int64_t channels, height, width, maps, kernel, stride, group;
  bool winograd = false;
};

ConvShape shape_of(const Layer& l) {
  ConvShape s{};
  s.batch = 1;
  s.channels = l.channels;
  s.height = l.height;
  s.width = l.width;
  s.maps = l.maps;
  s.kernel_h = s.kernel_w = l.kernel;
  s.stride_h = s.stride_w = l.stride;
  s.pad_top = s.pad_left = l.kernel / 2;
  s.group = l.group;
  s.winograd = l.winograd;
  s.out_height = (l.height + 2 * s.pad_top - l.kernel) / l.stride + 1;
  s.out_width = (l.width + 2 * s.pad_left - l.kernel) / l.stride + 1;
  return s;
}

void convolution(benchmark::State& state, const Layer& l) {
  const int threads = static_cast<int>(state.range(0));
  const Isa isa = current_isa();
  const ConvShape s = shape_of(l);
  ThreadPool pool(threads);
  const std::vector<float> x(static_cast<size_t>(s.channels * s.in_plane()), 0.5f),
      weight(static_cast<size_t>(s.maps * s.group_channels() * s.taps()), 0.25f),
      bias(static_cast<size_t>(s.maps), 0.1f);
  std::vector<float> y(static_cast<size_t>(s.maps * s.out_plane()));
  const auto packed = allocate_pages(conv_packed_floats(s) * sizeof(float));
  const auto scratch = allocate_pages(conv_scratch_bytes(s, threads) + 64);
  pack_conv(s, weight.data(), isa, static_cast<float*>(packed.get()));
  const ConvOutput out{.y = y.data(), .bias = bias.data(), .residual = nullptr, .act = {}};
  for (auto _ : state)
    pool.run([&](int t, int n) {
      conv(s, x.data(), static_cast<const float*>(packed.get()), out, isa, static_cast<std::byte*>(scratch.get()), t,
           n);
    });
  const double flops = 2 * static_cast<double>(s.maps * s.out_plane() * s.group_channels() * s.taps());
  state.counters["GFLOP/s"] =
      benchmark::Counter(1e-9 * flops * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void pooling(benchmark::State& state, const Layer& l) {
  const int threads = static_cast<int>(state.range(0));
  const ConvShape s = shape_of(l);
  ThreadPool pool(threads);
  const std::vector<float> x(static_cast<size_t>(s.channels * s.in_plane()), 0.5f);
  std::vector<float> y(static_cast<size_t>(s.channels * s.out_plane()));
  const auto scratch = allocate_pages(pool_scratch_bytes(s, threads) + 64);
  for (auto _ : state)
    pool.run([&](int t, int n) {
      max_pool(s, x.data(), y.data(), current_isa(), static_cast<std::byte*>(scratch.get()), t, n);
    });
  state.counters["GB/s"] = benchmark::Counter(
      4e-9 * static_cast<double>(x.size()) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

bool register_all() {
  const auto add = [](const std::string& kind, const Layer& l, auto run) {
    benchmark::RegisterBenchmark((kind + "/" + l.name).c_str(), [=](benchmark::State& state) { run(state, l); })
        ->ArgName("threads")
        ->Arg(1)
        ->Arg(2)
        ->UseRealTime();
  };
  for (const Layer& l : {Layer{"resnet50_first", 3, 224, 224, 64, 7, 2, 1},
                         {"resnet50_56", 64, 56, 56, 64, 3, 1, 1},
                         {"resnet50_28", 128, 28, 28, 128, 3, 1, 1},
                         {"resnet50_14", 256, 14, 14, 256, 3, 1, 1},
                         {"resnet50_7", 512, 7, 7, 512, 3, 1, 1},
                         {"resnet50_expand_14", 256, 14, 14, 1024, 1, 1, 1},
                         {"mobilenet_expand_28", 32, 28, 28, 192, 1, 1, 1},
                         {"ocr_det_160", 96, 160, 160, 24, 3, 1, 1}}) {
    add("conv", l, convolution);
    Layer transformed = l;
    transformed.winograd = true;
    if (winograd_fits(shape_of(l))) add("winograd", transformed, convolution);
  }
  for (const Layer& l : {Layer{"mobilenet_112", 32, 112, 112, 32, 3, 1, 32},
                         {"mobilenet_56_stride_2", 96, 56, 56, 96, 3, 2, 96},
                         {"mobilenet_v3_7_5x5_stride_2", 672, 14, 14, 672, 5, 2, 672},
                         {"mobilenet_14", 384, 14, 14, 384, 3, 1, 384},
                         {"ocr_80_5x5", 64, 80, 80, 64, 5, 1, 64}})
    add("depthwise", l, convolution);
  add("max_pool", {"resnet50_112", 64, 112, 112, 64, 3, 2, 1}, pooling);
  return true;
}
const bool registered = register_all();

}  // namespace
}  // namespace ingot
