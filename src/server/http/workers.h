// A few threads for what would hold up the network's: parsing large JSON, templates, tokenizing.
//
// Bounded: full() tells when requests should be refused. Thread-safety: all functions.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <type_traits>
#include <utility>

#include "base/limits.h"

namespace ingot::http {

class Workers {
 public:
  explicit Workers(int threads) : pool_(static_cast<size_t>(threads)) {}
  ~Workers() { join(); }
  // Ends what was begun; nothing new after it.
  void join() { pool_.join(); }

  bool full() const { return jobs_.load(std::memory_order_relaxed) >= limits::kWorkerJobsMax; }

  // Runs work() on a worker and continues where the caller was. What it throws is thrown here.
  template <class Work>
  boost::asio::awaitable<std::invoke_result_t<Work>> run(Work work) {
    jobs_.fetch_add(1, std::memory_order_relaxed);
    auto job = call(std::move(work), jobs_);
    co_return co_await boost::asio::co_spawn(pool_.get_executor(), std::move(job), boost::asio::use_awaitable);
  }

 private:
  struct Leave {
    std::atomic<int>& jobs;
    ~Leave() { jobs.fetch_sub(1, std::memory_order_relaxed); }
  };
  template <class Work>
  static boost::asio::awaitable<std::invoke_result_t<Work>> call(Work work, std::atomic<int>& jobs) {
    const Leave leave{jobs};
    co_return work();
  }

  boost::asio::thread_pool pool_;
  std::atomic<int> jobs_{0};
};

}  // namespace ingot::http
