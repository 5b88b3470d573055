#include "base/memory.h"

#include <gtest/gtest.h>

namespace ingot {
namespace {

TEST(Memory, some_is_available_and_less_than_an_exabyte) {
  EXPECT_GT(memory_bytes_available(), size_t{16} << 20);
  EXPECT_LT(memory_bytes_available(), size_t{1} << 60);
}

TEST(Memory, refuses_what_no_machine_has_and_says_what_to_do) {
  EXPECT_TRUE(check_memory("a small thing", 1000, "wait").has_value());
  const auto refused = check_memory("a cache", 1e18, "choose a smaller --ctx");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Code::kResourceExhausted);
  EXPECT_NE(refused.error().message().find("[memory] a cache needs "), std::string::npos);
  EXPECT_NE(refused.error().message().find("choose a smaller --ctx"), std::string::npos);
}

}  // namespace
}  // namespace ingot
