// What a region of the thread pool and a barrier in it cost, with and without other work on the cores.
#include <benchmark/benchmark.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/thread_pool.h"

namespace ingot {
namespace {

// Burns as many cores as asked, like a build or another server beside us.
class Burner {
 public:
  explicit Burner(int64_t cores) {
    for (int64_t i = 0; i < cores; ++i)
      threads_.emplace_back([this] {
        while (!stop_.load(std::memory_order_relaxed)) benchmark::ClobberMemory();
      });
  }
  ~Burner() {
    stop_ = true;
    for (auto& t : threads_) t.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

void busy_microseconds(int64_t n) {
  for (int64_t i = 0; i < n * 300; ++i) benchmark::DoNotOptimize(i);
}

// A decode step's shape: 150 barriers with some work between them.
void step(benchmark::State& state) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  const Burner burner(state.range(1));
  const int64_t work = state.range(2);
  for (auto _ : state)
    pool.run([&](int, int) {
      for (int i = 0; i < 150; ++i) {
        busy_microseconds(work);
        pool.barrier();
      }
    });
}
BENCHMARK(step)->ArgNames({"threads", "burners", "us"})->ArgsProduct({{1, 2}, {0, 1, 2}, {0, 50}})->UseRealTime();

// An idle gap between two regions, as sampling makes between steps.
void region(benchmark::State& state) {
  ThreadPool pool(2);
  for (auto _ : state) {
    busy_microseconds(state.range(0));
    pool.run([](int, int) {});
  }
}
BENCHMARK(region)->ArgName("gap_us")->Arg(0)->Arg(20)->Arg(100)->Arg(1000)->UseRealTime();

}  // namespace
}  // namespace ingot
