// The process's compute threads: every thread runs the same function over a static partition.
//
// run(fn) calls fn(thread, num_threads) once on each thread, the caller being thread 0, and returns
// when all are done. Inside, barrier() lines the threads up. Waiting threads spin for a short while
// and then park, so an idle pool costs nothing. On a busy machine the system may put two of them on one
// core: a thread that waits there gives the core to the other instead of spinning on it.
// An exception of one thread ends run() for all: those at a barrier leave it, and run() throws the first one.
// Thread-safety: run() may be called from any thread; calls are serialized. Not reentrant.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"

namespace ingot {

// Where the threads of a pool were last seen.
class ThreadCores {
 public:
  explicit ThreadCores(int num_threads);
  // Another thread of the pool was last seen on the core that the calling one, `thread`, runs on.
  bool shared(int thread);

 private:
  struct alignas(64) Core {
    std::atomic<int> id{-1};
  };
  std::vector<Core> cores_;
};

// A barrier for a fixed number of threads: spins, then parks.
class SpinBarrier {
 public:
  // What wait() throws, now and later, once a thread that will not come has broken the barrier up.
  struct Broken {};

  SpinBarrier(int num_threads, ThreadCores& cores) : num_threads_(num_threads), cores_(cores) {}
  void wait();
  void break_up();
  // While nobody waits.
  void mend();

 private:
  const int num_threads_;
  ThreadCores& cores_;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> generation_{0};
  std::atomic<bool> broken_{false};
};

// Processors that the system lets this thread run on, at least 1. first_bytes: room for the first try.
int affinity_cores(size_t first_bytes = 128);

class ThreadPool {
 public:
  using Fn = std::function<void(int thread, int num_threads)>;

  // num_threads counts the caller: 1 makes no thread at all. Errors: kResourceExhausted when the system gives
  // no more threads; those already started have then ended.
  static Result<std::shared_ptr<ThreadPool>> create(int num_threads);
  // The same, but a pool of the caller alone where the system gives too few.
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
  bool start();
  void stop();
  void worker(int thread);
  void call(int thread);

  int num_threads_;
  ThreadCores cores_;
  SpinBarrier barrier_;
  SpinBarrier done_;
  std::mutex run_mutex_;
  const Fn* fn_ = nullptr;
  std::mutex failure_mutex_;
  std::exception_ptr failure_;  // the first of this run
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
