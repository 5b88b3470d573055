#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

#include "base/cgroup.h"
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
  if (broken_.load(std::memory_order_relaxed)) throw Broken();
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == num_threads_) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    return;
  }
  wait_change(generation_, generation, cores_);
  if (broken_.load(std::memory_order_relaxed)) throw Broken();
}

void SpinBarrier::break_up() {
  broken_.store(true, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
}

void SpinBarrier::mend() {
  arrived_.store(0, std::memory_order_relaxed);
  broken_.store(false, std::memory_order_relaxed);
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
  call(0);
  done_.wait();
  if (!failure_) return;
  barrier_.mend();
  std::rethrow_exception(std::exchange(failure_, nullptr));
}

void ThreadPool::call(int thread) {
  try {
    (*fn_)(thread, num_threads_);
  } catch (const SpinBarrier::Broken&) {  // another thread's failure
  } catch (...) {
    const std::lock_guard lock(failure_mutex_);
    if (!failure_) failure_ = std::current_exception();
    barrier_.break_up();
  }
}

void ThreadPool::worker(int thread) {
  this_thread = thread;
  unsigned seen = 0;
  while (true) {
    wait_change(epoch_, seen, cores_);
    seen = epoch_.load(std::memory_order_acquire);
    if (stop_.load(std::memory_order_relaxed)) return;
    call(thread);
    done_.wait();
  }
}

int affinity_cores(size_t first_bytes) {
  constexpr size_t kBytesMax = size_t{1} << 20;  // 8 million processors
  for (size_t bytes = first_bytes; bytes <= kBytesMax; bytes *= 2) {
    std::vector<uint64_t> mask((bytes + 7) / 8);
    auto* set = reinterpret_cast<cpu_set_t*>(mask.data());
    if (sched_getaffinity(0, bytes, set) == 0) return std::max(1, CPU_COUNT_S(bytes, set));
    if (errno != EINVAL) break;  // EINVAL: the machine may have more than the mask
  }
  return 1;
}

int ThreadPool::default_threads() {
  const double quota = std::min<double>(std::ceil(cgroup_cpus()), limits::kThreadsMax);
  return std::clamp(affinity_cores(), 1, static_cast<int>(quota));
}

}  // namespace ingot
