// Speed of every weight type: GB/s of packed weights and GOP/s, each also as a part of the machine's limit,
// which is measured here too (streaming read; int8 or float dot products from registers).
//   build/release/bin/backend_cpu_bench --benchmark_filter='matmul/q8_0/amx/.*/T:1/'
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <string>
#include <utility>
#include <vector>

#include "backends/cpu/kernels/matmul/matmul.h"
#include "base/clock.h"
#include "base/thread_pool.h"

namespace ingot {
namespace {

// Zero pages, huge where the system allows.
class Memory {
 public:
  explicit Memory(size_t bytes) : bytes_(bytes) {
    data_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(data_, bytes, MADV_HUGEPAGE);
  }
  ~Memory() { munmap(data_, bytes_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  std::byte* data() const { return static_cast<std::byte*>(data_); }

  // Bytes 0x20 … 0x3f: every 16- or 32-bit float among them is an ordinary number (subnormals are slow).
  void fill() {
    uint32_t state = 1;
    for (size_t i = 0; i < bytes_; ++i) {
      state = state * 1664525u + 1013904223u;
      data()[i] = static_cast<std::byte>(0x20 | (state >> 24 & 0x1f));
    }
  }

 private:
  void* data_;
  size_t bytes_;
};

struct Shape {
  int64_t n, k;
};

void run(benchmark::State& state, DType type, Isa isa, Shape shape) {
  const Isa before = current_isa();
  set_isa(isa);
  const int64_t rows = state.range(0);
  ThreadPool pool(static_cast<int>(state.range(1)));
  Memory memory(packed_bytes(type, shape.n, shape.k, current_isa()));
  memory.fill();
  const PackedWeights w = describe_weights(type, shape.n, shape.k, current_isa(), memory.data());
  std::vector<float> x(static_cast<size_t>(rows * shape.k), 0.5f), y(static_cast<size_t>(rows * shape.n));
  Memory xq(quantized_row_bytes(w.act, shape.k) * static_cast<size_t>(rows));
  for (auto _ : state) {
    pool.run([&](int thread, int num_threads) {
      quantize_rows(w.act, x.data(), shape.k, rows, shape.k, xq.data(), thread, num_threads);
      pool.barrier();
      matmul(w, xq.data(), rows, y.data(), shape.n, nullptr, thread, num_threads);
    });
  }
  set_isa(before);
  const double calls = static_cast<double>(state.iterations());
  state.counters["GB/s"] = benchmark::Counter(static_cast<double>(w.bytes) * calls / 1e9, benchmark::Counter::kIsRate);
  state.counters["GOP/s"] =
      benchmark::Counter(2e-9 * static_cast<double>(rows * shape.n * shape.k) * calls, benchmark::Counter::kIsRate);
}

void read_stream(benchmark::State& state) {
  constexpr size_t kBytes = 512u << 20;
  ThreadPool pool(static_cast<int>(state.range(0)));
  Memory memory(kBytes);
  memory.fill();
  std::vector<uint64_t> sums(64 * 64);
  for (auto _ : state)
    pool.run([&](int thread, int num_threads) {
      const Range part = partition(kBytes / 8, thread, num_threads, 64);
      const uint64_t* p = reinterpret_cast<const uint64_t*>(memory.data());
      uint64_t sum = 0;
      for (int64_t i = part.begin; i < part.end; i += 8) {
        __builtin_prefetch(p + i + 512);  // the hardware's prefetcher alone reaches less
        for (int64_t j = i; j < i + 8; ++j) sum ^= p[j];
      }
      sums[static_cast<size_t>(thread) * 64] = sum;
      benchmark::DoNotOptimize(sums.data());
    });
  state.counters["GB/s"] =
      benchmark::Counter(kBytes * static_cast<double>(state.iterations()) / 1e9, benchmark::Counter::kIsRate);
}

bool register_all() {
  benchmark::RegisterBenchmark("limit/read", read_stream)->Arg(1)->Arg(2)->ArgName("threads")->UseRealTime();
  std::vector<std::pair<DType, Isa>> kernels;
#define MATMUL_KERNEL(dtype, name, act, isa, suffix) kernels.push_back({DType::dtype, Isa::isa});
#include "backends/cpu/kernels/matmul/kernels.def"
#undef MATMUL_KERNEL
  kernels.push_back({DType::kNVFP4, detected_isa()});  // decode-then-multiply
  for (const auto& [type, isa] : kernels)
    for (Shape shape : {Shape{262144, 640}, Shape{2048, 2048}, Shape{5632, 2048}}) {
      if (isa > detected_isa() || !matmul_supports(type, shape.k)) continue;
      const std::string name = fmt::format("matmul/{}/{}/{}x{}", dtype_name(type), isa_name(isa), shape.n, shape.k);
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { run(state, type, isa, shape); })
          ->ArgNames({"T", "threads"})
          ->ArgsProduct({{1, 2, 4, 8, 16, 512}, {1, 2}})
          ->UseRealTime();
    }
  return true;
}
const bool registered = register_all();

}  // namespace
}  // namespace ingot
