// How long requests of a tensor model may wait, and how many: one policy, or one for each level of priority.
// Thread-safety: plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>

namespace ingot::serving {

struct QueuePolicy {
  std::chrono::microseconds timeout{0};  // in the queue; 0: none
  bool delay_late = false;               // who waited longer goes behind the others; otherwise it is refused
  bool allow_shorter = true;             // a request's own timeout counts where it is shorter
  uint64_t waiting_max = 0;              // requests; 0: no limit of its own
};

struct QueuePolicies {
  uint64_t levels = 0;         // of priority, 1 is the first served; 0: requests have none
  uint64_t level_default = 1;  // of requests that name none
  QueuePolicy usual;
  std::map<uint64_t, QueuePolicy> of_level;

  const QueuePolicy& of(uint64_t level) const {
    const auto found = of_level.find(level);
    return found == of_level.end() ? usual : found->second;
  }
};

}  // namespace ingot::serving
