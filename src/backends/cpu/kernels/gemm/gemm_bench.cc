// Speed of float32 products: GFLOP/s, and the part of the machine's limit, which is measured here too.
//   build/release/bin/backend_cpu_bench --benchmark_filter='^gemm|limit/fma'
#include "backends/cpu/kernels/gemm/gemm.h"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "tensor/tensor.h"

namespace ingot {
namespace {

// The tile alone, on operands that stay in the L1 cache: what the multipliers can do.
void fma_limit(benchmark::State& state) {
  const GemmKernels& k = gemm_kernels(current_isa());
  constexpr int64_t kSteps = 64;
  std::vector<float> a(static_cast<size_t>(k.tile_rows * kSteps), 0.5f);
  std::vector<float> b(static_cast<size_t>(k.panel_columns * kSteps), 0.5f);
  std::vector<float> c(static_cast<size_t>(k.tile_rows * k.panel_columns));
  GemmTile t{.a = a.data(),
             .a_step = k.tile_rows,
             .b = b.data(),
             .b_step = k.panel_columns,
             .k = kSteps,
             .c = c.data(),
             .ldc = k.panel_columns,
             .columns = k.panel_columns,
             .start = true};
  for (auto _ : state) {
    for (int i = 0; i < 64; ++i) k.tile(k.tile_rows, t);
    benchmark::DoNotOptimize(c.data());
  }
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * 64 * kSteps * k.tile_rows * k.panel_columns * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate);
}
BENCHMARK(fma_limit)->Name("limit/fma");

struct Product {
  int64_t m, n, k;
  bool constant_b;
};

void product(benchmark::State& state, Product p) {
  const int threads = static_cast<int>(state.range(0));
  const Isa isa = current_isa();
  ThreadPool pool(threads);
  std::vector<float> a(static_cast<size_t>(p.m * p.k), 0.5f), b(static_cast<size_t>(p.k * p.n), 0.25f),
      c(static_cast<size_t>(p.m * p.n));
  const auto packed = allocate_pages(gemm_packed_b_floats(p.n, p.k, isa) * sizeof(float));
  const auto scratch = allocate_pages(gemm_scratch_bytes(threads));
  Gemm g{.m = p.m, .n = p.n, .k = p.k};
  g.a = {.data = a.data(), .row_step = p.k, .k_step = 1};
  g.b = {.data = b.data(), .k_step = p.n, .column_step = 1};
  g.c = c.data();
  g.ldc = p.n;
  if (p.constant_b) {
    pack_gemm_b(g.b, p.n, p.k, isa, static_cast<float*>(packed.get()), 0, 1);
    g.b = {.packed = static_cast<float*>(packed.get())};
  }
  for (auto _ : state) pool.run([&](int t, int n) { gemm(g, isa, static_cast<std::byte*>(scratch.get()), t, n); });
  const double calls = static_cast<double>(state.iterations());
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * static_cast<double>(p.m * p.n * p.k) * calls, benchmark::Counter::kIsRate);
}

bool register_all() {
  for (const Product p : {Product{1, 768, 768, true},
                          {1, 3072, 768, true},
                          {16, 768, 768, true},
                          {128, 768, 768, true},
                          {128, 3072, 768, true},
                          {128, 768, 3072, true},
                          {512, 512, 512, true},
                          {1024, 1024, 1024, true},
                          {1024, 1024, 1024, false},
                          {128, 128, 64, false}}) {
    const std::string name = "gemm/" + std::to_string(p.m) + "x" + std::to_string(p.n) + "x" + std::to_string(p.k) +
                             (p.constant_b ? "/packed" : "/raw");
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { product(state, p); })
        ->ArgName("threads")
        ->Arg(1)
        ->Arg(2)
        ->UseRealTime();
  }
  return true;
}
const bool registered = register_all();

}  // namespace
}  // namespace ingot
