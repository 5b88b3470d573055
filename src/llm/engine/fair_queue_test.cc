// Whose turn it is among tenants that wait.
#include "llm/engine/fair_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace ingot::llm {
namespace {

TEST(FairQueue, a_tenant_with_one_request_comes_second_though_another_queued_ten_before) {
  std::array<Sequence, 11> all;
  FairQueue queue;
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].id = i;
    all[i].tenant = i < 10 ? "a" : "b";
    queue.enter(all[i]);
    queue.push(all[i]);
  }
  std::vector<uint64_t> order;
  queue.visit([&](Sequence& s) {
    queue.charge(s, 10);
    order.push_back(s.id);
    return FairQueue::Visit::kTake;
  });
  EXPECT_EQ(order, (std::vector<uint64_t>{0, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(queue.size(), 0U);
}

}  // namespace
}  // namespace ingot::llm
