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
// About 1 us: who waits longer looks whether it stands in the way of whom it waits for.
constexpr int kSpinsBlind = 100;
// Turns that a waiting thread gives to others on its core before it parks.
constexpr int kYieldsMax = 100;

// Of a pool's worker its number in the pool; 0 for all that call run().
thread_local int this_thread = 0;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Waits until `value` differs from `old`.
void wait_change(const std::atomic<unsigned>& value, unsigned old, ThreadCores& cores) {
  for (int i = 0, yields = 0; i < kSpins && yields < kYieldsMax; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    if (i % kSpinsBlind != 0 || !cores.shared(this_thread)) {
      relax();
      continue;
    }
    for (; yields < kYieldsMax && value.load(std::memory_order_acquire) == old; ++yields) sched_yield();
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

ThreadCores::ThreadCores(int num_threads) : cores_(static_cast<size_t>(num_threads)) {}

bool ThreadCores::shared(int thread) {
  const int mine = sched_getcpu();
  std::atomic<int>& id = cores_[static_cast<size_t>(thread)].id;
  if (id.load(std::memory_order_relaxed) != mine) id.store(mine, std::memory_order_relaxed);  // others keep the line
  for (size_t i = 0; i < cores_.size(); ++i)
    if (i != static_cast<size_t>(thread) && cores_[i].id.load(std::memory_order_relaxed) == mine) return true;
  return false;
}

void SpinBarrier::wait() {
  const unsigned generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == num_threads_) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    return;
  }
  wait_change(generation_, generation, cores_);
}

ThreadPool::ThreadPool(int num_threads)
    : num_threads_(std::clamp(num_threads, 1, limits::kThreadsMax)),
      cores_(num_threads_),
      barrier_(num_threads_, cores_),
      done_(num_threads_, cores_) {
  if (!start()) num_threads_ = 1;
}

Result<std::shared_ptr<ThreadPool>> ThreadPool::create(int num_threads) {
  auto pool = std::make_shared<ThreadPool>(num_threads);
  const int wanted = std::clamp(num_threads, 1, limits::kThreadsMax);
  if (pool->size() == wanted) return pool;
  return error(Code::kResourceExhausted,
               "[threads] the system does not give {} threads: ask for fewer (--threads), or raise its limits "
               "(ulimit -u, ulimit -v, pids.max)",
               wanted);
}

// false: the system refused a thread, and none runs.
bool ThreadPool::start() {
  try {
    for (int i = 1; i < num_threads_; ++i) workers_.emplace_back([this, i] { worker(i); });
    return true;
  } catch (const std::exception&) {  // std::system_error, std::bad_alloc
    stop();
    return false;
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stop_.store(true, std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (auto& t : workers_) t.join();
  workers_.clear();
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
  this_thread = thread;
  unsigned seen = 0;
  while (true) {
    wait_change(epoch_, seen, cores_);
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
