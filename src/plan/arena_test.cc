#include "plan/arena.h"

#include <gtest/gtest.h>

#include <random>

namespace ingot {
namespace {

TEST(Arena, never_overlaps_blocks_that_live_together_and_reuses_the_rest) {
  std::mt19937 rng(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<ArenaBlock> blocks(1 + rng() % 60);
    size_t sum = 0;
    for (auto& b : blocks) {
      b.bytes = rng() % 3000;
      b.first = static_cast<int>(rng() % 50);
      b.last = b.first + static_cast<int>(rng() % 10);
      sum += (b.bytes + 127) / 64 * 64;
    }
    const size_t total = lay_out_arena(blocks);
    EXPECT_LE(total, sum);
    for (const auto& a : blocks) {
      EXPECT_EQ(a.offset % 64, 0);
      EXPECT_LE(a.offset + static_cast<int64_t>(a.bytes), static_cast<int64_t>(total));
      for (const auto& b : blocks) {
        if (&a == &b || a.last < b.first || b.last < a.first || !a.bytes || !b.bytes) continue;
        EXPECT_TRUE(a.offset + static_cast<int64_t>(a.bytes) <= b.offset ||
                    b.offset + static_cast<int64_t>(b.bytes) <= a.offset);
      }
    }
  }
  std::vector<ArenaBlock> chain = {{1000, 0, 1, 0}, {1000, 1, 2, 0}, {1000, 2, 3, 0}, {1000, 3, 4, 0}};
  EXPECT_EQ(lay_out_arena(chain), 2048u);
}

}  // namespace
}  // namespace ingot
