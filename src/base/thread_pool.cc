#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

#include "base/limits.h"

namespace ingot {
namespace {

// About 50 us on current machines: longer than the gap between two steps of a plan, shorter than a
// scheduler's time slice, so an oversubscribed machine loses little.
constexpr int kSpins = 4000;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Waits until `value` differs from `old`.
void wait_change(const std::atomic<unsigned>& value, unsigned old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax();
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

// cgroup v2 "cpu.max": "<quota us> <period us>" or "max <period>".
int cgroup_cores() {
  std::ifstream in("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(in >> quota >> period) || quota == "max" || period <= 0) return limits::kThreadsMax;
  return std::max(1, static_cast<int>(std::ceil(std::atof(quota.c_str()) / period)));
}

}  // namespace

void SpinBarrier::wait() {
  const unsigned generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == num_threads_) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    return;
  }
  wait_change(generation_, generation);
}

ThreadPool::ThreadPool(int num_threads)
    : num_threads_(std::clamp(num_threads, 1, limits::kThreadsMax)), barrier_(num_threads_), done_(num_threads_) {
  for (int i = 1; i < num_threads_; ++i) workers_.emplace_back([this, i] { worker(i); });
}

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (auto& t : workers_) t.join();
}

void ThreadPool::run(const Fn& fn) {
  std::lock_guard lock(run_mutex_);
  if (num_threads_ == 1) return fn(0, 1);
  fn_ = &fn;
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  fn(0, num_threads_);
  done_.wait();
}

void ThreadPool::worker(int thread) {
  unsigned seen = 0;
  while (true) {
    wait_change(epoch_, seen);
    seen = epoch_.load(std::memory_order_acquire);
    if (stop_.load(std::memory_order_relaxed)) return;
    (*fn_)(thread, num_threads_);
    done_.wait();
  }
}

int ThreadPool::default_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cores = 1;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cores = std::max(1, CPU_COUNT(&set));
  return std::min({cores, cgroup_cores(), limits::kThreadsMax});
}

}  // namespace ingot
