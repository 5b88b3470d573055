// Who waits, in the order in which they should run: by priority, then fair between tenants, then by arrival.
//
// Fairness counts service: each tenant has a counter of tokens that were computed for it, and of those that have
// something waiting the one with the least goes first. A tenant that comes back from idling starts at the least
// active counter, so it can neither hoard credit nor owe. (Virtual token counter: Sheng et al., OSDI 2024.)
// Within a priority, preempted sequences come back before new ones. Thread-safety: the engine's thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>

#include "llm/engine/sequence.h"

namespace ingot::llm {

class FairQueue {
 public:
  enum class Visit : uint8_t { kTake, kSkip, kStop };

  // Each sequence enters once and leaves once; in between it may be pushed and taken several times.
  void enter(const Sequence& s);
  void leave(const Sequence& s);
  void push(Sequence& s);      // new: behind its tenant's others
  void put_back(Sequence& s);  // preempted: before all new ones of its priority
  void erase(const Sequence& s);
  // Tokens of service that the tenant got.
  void charge(const Sequence& s, int64_t tokens);

  // Calls `visit` in order until it says kStop or all were seen; kTake takes the sequence out.
  void visit(const std::function<Visit(Sequence&)>& visit);

  size_t size() const { return size_; }

 private:
  struct Tenant {
    int64_t served = 0;  // tokens
    int64_t live = 0;    // sequences that entered and have not left
  };
  struct Level {
    std::deque<Sequence*> preempted;
    std::map<std::string, std::deque<Sequence*>> waiting;
  };
  bool visit_level(Level& level, const std::function<Visit(Sequence&)>& visit);
  Visit visit_one(std::deque<Sequence*>& list, size_t at, const std::function<Visit(Sequence&)>& visit);
  void forget_idle();

  std::map<int32_t, Level> levels_;
  std::unordered_map<std::string, Tenant> tenants_;
  size_t size_ = 0;
};

}  // namespace ingot::llm
