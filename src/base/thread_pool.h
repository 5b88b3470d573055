// The process's compute threads: every thread runs the same function over a static partition.
//
// run(fn) calls fn(thread, num_threads) once on each thread, the caller being thread 0, and returns
// when all are done. Inside, barrier() lines the threads up. Waiting threads spin for a short while
// and then park, so an idle pool costs nothing.
// Thread-safety: run() may be called from any thread; calls are serialized. Not reentrant.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace ingot {

// A barrier for a fixed number of threads: spins, then parks.
class SpinBarrier {
 public:
  explicit SpinBarrier(int num_threads) : num_threads_(num_threads) {}
  void wait();

 private:
  const int num_threads_;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> generation_{0};
};

class ThreadPool {
 public:
  using Fn = std::function<void(int thread, int num_threads)>;

  // num_threads counts the caller: 1 makes no thread at all.
  explicit ThreadPool(int num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return num_threads_; }
  void run(const Fn& fn);
  // Only inside run(), by all threads.
  void barrier() {
    if (num_threads_ > 1) barrier_.wait();
  }

  // Cores that this process may use: affinity and cgroup quota, not the host's count.
  static int default_threads();

 private:
  void worker(int thread);

  const int num_threads_;
  SpinBarrier barrier_;
  SpinBarrier done_;
  std::mutex run_mutex_;
  const Fn* fn_ = nullptr;
  alignas(64) std::atomic<unsigned> epoch_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> workers_;
};

// The static partition of [0, n) into num_threads nearly equal, ordered ranges, in units of `grain`.
struct Range {
  int64_t begin;
  int64_t end;
};
inline Range partition(int64_t n, int thread, int num_threads, int64_t grain = 1) {
  const int64_t units = (n + grain - 1) / grain;
  const int64_t begin = units * thread / num_threads * grain;
  const int64_t end = units * (thread + 1) / num_threads * grain;
  return {begin < n ? begin : n, end < n ? end : n};
}

}  // namespace ingot
