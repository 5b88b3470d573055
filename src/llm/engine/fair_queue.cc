#include "llm/engine/fair_queue.h"

#include <algorithm>
#include <limits>

#include "base/limits.h"

namespace ingot::llm {

void FairQueue::enter(const Sequence& s) {
  if (tenants_.size() >= limits::kTenantsMax) forget_idle();
  int64_t least = std::numeric_limits<int64_t>::max();
  for (const auto& [name, t] : tenants_)
    if (t.live > 0) least = std::min(least, t.served);
  Tenant& tenant = tenants_[s.tenant];
  if (tenant.live++ == 0 && least != std::numeric_limits<int64_t>::max())
    tenant.served = std::max(tenant.served, least);
}

void FairQueue::leave(const Sequence& s) { --tenants_[s.tenant].live; }

void FairQueue::forget_idle() {
  std::erase_if(tenants_, [](const auto& t) { return t.second.live == 0; });
}

void FairQueue::push(Sequence& s) {
  levels_[s.priority].waiting[s.tenant].push_back(&s);
  ++size_;
}

void FairQueue::put_back(Sequence& s) {
  auto& list = levels_[s.priority].preempted;
  list.insert(std::ranges::upper_bound(list, s.id, {}, &Sequence::id), &s);
  ++size_;
}

void FairQueue::erase(const Sequence& s) {
  const auto level = levels_.find(s.priority);
  if (level == levels_.end()) return;
  size_ -= std::erase(level->second.preempted, &s);
  if (const auto list = level->second.waiting.find(s.tenant); list != level->second.waiting.end()) {
    size_ -= std::erase(list->second, &s);
    if (list->second.empty()) level->second.waiting.erase(list);
  }
  if (level->second.preempted.empty() && level->second.waiting.empty()) levels_.erase(level);
}

void FairQueue::charge(const Sequence& s, int64_t tokens) { tenants_[s.tenant].served += tokens; }

FairQueue::Visit FairQueue::visit_one(std::deque<Sequence*>& list, size_t at,
                                      const std::function<Visit(Sequence&)>& visit) {
  const Visit said = visit(*list[at]);
  if (said == Visit::kTake) {
    list.erase(list.begin() + static_cast<int64_t>(at));
    --size_;
  }
  return said;
}

// False: the visitor stopped.
bool FairQueue::visit_level(Level& level, const std::function<Visit(Sequence&)>& visit) {
  for (size_t at = 0; at < level.preempted.size();) {
    const Visit said = visit_one(level.preempted, at, visit);
    if (said == Visit::kStop) return false;
    if (said == Visit::kSkip) ++at;
  }
  struct Cursor {
    const Tenant* tenant;
    std::deque<Sequence*>* list;
    size_t at = 0;
  };
  std::vector<Cursor> cursors;
  for (auto& [name, list] : level.waiting) cursors.push_back({&tenants_[name], &list});
  while (!cursors.empty()) {
    const auto next = std::ranges::min_element(cursors, {}, [](const Cursor& c) { return c.tenant->served; });
    const Visit said = visit_one(*next->list, next->at, visit);
    if (said == Visit::kStop) return false;
    if (said == Visit::kSkip) ++next->at;
    if (next->at == next->list->size()) cursors.erase(next);
  }
  return true;
}

void FairQueue::visit(const std::function<Visit(Sequence&)>& visit) {
  for (auto it = levels_.begin(); it != levels_.end();) {
    const bool more = visit_level(it->second, visit);
    std::erase_if(it->second.waiting, [](const auto& t) { return t.second.empty(); });
    it = it->second.preempted.empty() && it->second.waiting.empty() ? levels_.erase(it) : std::next(it);
    if (!more) return;
  }
}

}  // namespace ingot::llm
