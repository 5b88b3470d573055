// Speed of attention. Decoding: GB/s of the keys and values that are read, against `limit/read` of the matmul
// benchmark. Prefill: GFLOP/s of the products that causality leaves (2 * 2 * D per query head and seen key).
//   build/release/bin/backend_cpu_bench --benchmark_filter='attention/.*decode.*f16/.*threads:1'
#include <benchmark/benchmark.h>

#include <numeric>
#include <string>
#include <vector>

#include "backends/cpu/kernels/attention/attention.h"
#include "base/thread_pool.h"
#include "tensor/half.h"
#include "tensor/tensor.h"

namespace ingot {
namespace {

constexpr int64_t kPageTokens = 16;

// `tokens` at the end of a context, one sequence.
void run(benchmark::State& state, AttentionConfig config, int64_t tokens, int64_t context) {
  const int threads = static_cast<int>(state.range(0));
  config.isa = current_isa();
  ThreadPool pool(threads);
  const int64_t pages = (context + kPageTokens - 1) / kPageTokens;
  const size_t row = dtype_bytes(config.kv_dtype, config.head_dim) * static_cast<size_t>(config.kv_heads);
  const size_t bytes = static_cast<size_t>(pages * kPageTokens) * row;
  const auto k_cache = allocate_pages(bytes), v_cache = allocate_pages(bytes);
  for (const auto& cache : {k_cache, v_cache})
    for (size_t i = 0; i < bytes / 2; ++i)
      static_cast<uint16_t*>(cache.get())[i] = static_cast<uint16_t>(0x2c00 + i * 37 % 1024);
  std::vector<float> q(static_cast<size_t>(tokens * config.heads * config.head_dim), 0.1f), out(q.size());
  std::vector<float> kv(static_cast<size_t>(tokens * config.kv_heads * config.head_dim), 0.1f);
  std::vector<int32_t> table(static_cast<size_t>(pages));
  std::iota(table.begin(), table.end(), 0);
  const int32_t start[] = {0, static_cast<int32_t>(tokens)}, length[] = {static_cast<int32_t>(context)};
  const auto scratch = allocate_pages(attention_scratch_bytes(config, tokens, pages * kPageTokens, threads));
  const AttentionBatch batch{.q = q.data(),
                             .k = kv.data(),
                             .v = kv.data(),
                             .k_cache = static_cast<std::byte*>(k_cache.get()),
                             .v_cache = static_cast<std::byte*>(v_cache.get()),
                             .page_tokens = kPageTokens,
                             .table_width = pages,
                             .num_seqs = 1,
                             .query_start = start,
                             .context_len = length,
                             .block_table = table.data(),
                             .sinks = nullptr,
                             .out = out.data(),
                             .scratch = static_cast<std::byte*>(scratch.get()),
                             .scratch_tokens = tokens,
                             .scratch_keys = pages * kPageTokens};
  for (auto _ : state)
    pool.run([&](int thread, int num_threads) {
      append_keys_values(config, batch, thread, num_threads);
      pool.barrier();
      attend(config, batch, thread, num_threads);
      pool.barrier();
      merge_split_rows(config, batch, thread, num_threads);
    });
  const double calls = static_cast<double>(state.iterations());
  const double seen =
      static_cast<double>(tokens) * (static_cast<double>(context) - static_cast<double>(tokens - 1) / 2);
  state.counters["GB/s"] = benchmark::Counter(2e-9 * static_cast<double>(bytes) * calls, benchmark::Counter::kIsRate);
  state.counters["GFLOP/s"] = benchmark::Counter(
      4e-9 * seen * static_cast<double>(config.heads * config.head_dim) * calls, benchmark::Counter::kIsRate);
}

// Fused multiply-adds from registers: what a core can do at most. No limit is known for other machines.
#ifdef __x86_64__
__attribute__((target("avx512f"))) double multiply_add(int64_t rounds) {
  typedef float F __attribute__((vector_size(64)));
  F acc[16] = {}, x = acc[0];
  for (int64_t i = 0; i < rounds; ++i)
#pragma GCC unroll 16
    for (int n = 0; n < 16; ++n) asm volatile("vfmadd231ps %1, %1, %0" : "+v"(acc[n]) : "v"(x));
  double sum = 0;
  for (int n = 0; n < 16; ++n) sum += static_cast<double>(acc[n][0]);
  return sum;
}
void limit_fma(benchmark::State& state) {
  if (!isa_includes(detected_isa(), Isa::kAvx512)) return state.SkipWithError("needs AVX-512");
  for (auto _ : state) benchmark::DoNotOptimize(multiply_add(100000));
  state.counters["GFLOP/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * 1e5 * 16 * 32 / 1e9, benchmark::Counter::kIsRate);
}
BENCHMARK(limit_fma)->Name("limit/fma");
#endif

bool register_all() {
  struct Heads {
    int64_t heads, kv_heads, d;
  };
  for (DType type : {DType::kF16, DType::kF32, DType::kBF16, DType::kQ8_0, DType::kQ4_0})
    for (Heads h : {Heads{32, 8, 64}, Heads{32, 8, 128}, Heads{8, 8, 128}, Heads{4, 1, 256}}) {
      const AttentionConfig config{
          .heads = h.heads, .kv_heads = h.kv_heads, .head_dim = h.d, .scale = 0.1f, .kv_dtype = type};
      const std::string head = "attention/H:" + std::to_string(h.heads) + "/G:" + std::to_string(h.kv_heads) +
                               "/D:" + std::to_string(h.d) + "/" + std::string(dtype_name(type));
      auto add = [&](const std::string& name, int64_t tokens, int64_t context) {
        benchmark::RegisterBenchmark((head + name + std::to_string(context)).c_str(),
                                     [=](benchmark::State& state) { run(state, config, tokens, context); })
            ->ArgName("threads")
            ->Arg(1)
            ->Arg(2)
            ->UseRealTime();
      };
      for (int64_t context : {512, 4096, 16384, 32768}) add("/decode:", 1, context);
      for (int64_t tokens : {512, 2048}) add("/prefill:", tokens, tokens);
    }
  return true;
}
const bool registered = register_all();

}  // namespace
}  // namespace ingot
