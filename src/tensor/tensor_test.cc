#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace ingot {
namespace {

TEST(PackedMemory, pieces_are_aligned_zero_and_apart_however_they_come_and_go) {
  struct Piece {
    std::shared_ptr<void> memory;
    size_t bytes;
    uint8_t mark;
  };
  const auto check = [](const Piece& p) {
    const auto* at = static_cast<const uint8_t*>(p.memory.get());
    for (size_t i = 0; i < p.bytes; i += 97) ASSERT_EQ(at[i], p.mark);
    ASSERT_EQ(at[p.bytes - 1], p.mark);
  };
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    std::vector<Piece> pieces;
    for (int i = 0; i < 200; ++i) {
      Piece p{nullptr, 1 + random() % (i % 50 ? 300'000 : 6'000'000), static_cast<uint8_t>(1 + random() % 255)};
      p.memory = allocate_packed(p.bytes);
      ASSERT_TRUE(p.memory);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(p.memory.get()) % 64, 0u);
      check({p.memory, p.bytes, 0});
      std::memset(p.memory.get(), p.mark, p.bytes);
      pieces.push_back(std::move(p));
      if (random() % 3) continue;
      const size_t gone = random() % pieces.size();
      check(pieces[gone]);
      pieces.erase(pieces.begin() + static_cast<int64_t>(gone));
    }
    for (const Piece& p : pieces) check(p);
  };
  std::thread other(work, 1);
  work(2);
  other.join();
}

TEST(SlowPages, are_zero_and_writable_from_end_to_end) {
  for (const size_t bytes : {size_t{1}, size_t{3} << 20, size_t{9} << 20}) {
    const auto memory = allocate_slow_pages(bytes);
    auto* p = static_cast<uint8_t*>(memory.get());
    EXPECT_EQ(p[0], 0);
    EXPECT_EQ(p[bytes - 1], 0);
    std::memset(p, 7, bytes);
    EXPECT_EQ(p[bytes / 2], 7);
  }
}

}  // namespace
}  // namespace ingot
