// The memory that bodies of requests take together: each request is charged for what it received until it ends.
// Thread-safety: the sum is shared; a charge is one connection's.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace ingot::http {

struct BodyBudget {
  std::atomic<size_t> bytes{0};
  size_t bytes_max = 0;
};

class BodyCharge {
 public:
  explicit BodyCharge(BodyBudget& budget) : budget_(budget) {}
  ~BodyCharge() { grow_to(0); }
  BodyCharge(const BodyCharge&) = delete;
  BodyCharge& operator=(const BodyCharge&) = delete;

  // The body has so many bytes now. False: all bodies together pass the budget.
  bool grow_to(size_t bytes) {
    const size_t more = bytes - std::exchange(mine_, bytes);  // wraps when it gets less, and so does the sum
    return budget_.bytes.fetch_add(more) + more <= budget_.bytes_max;
  }

 private:
  BodyBudget& budget_;
  size_t mine_ = 0;
};

}  // namespace ingot::http
