// Which key a request came with.
#include "server/http/api_keys.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace ingot::http {
namespace {

TEST(ApiKeys, tell_whose_key_it_is) {
  const auto path = std::filesystem::path(testing::TempDir()) / fmt::format("keys_{}", ::getpid());
  std::ofstream(path) << "# ours\nalpha\nbeta\n";
  ApiKeys keys;
  EXPECT_EQ(keys.tenant_of("anything at all"), "");
  EXPECT_TRUE(keys.accepts(""));
  ASSERT_TRUE(keys.load(path.string()));
  EXPECT_EQ(keys.tenant_of("Bearer alpha"), "key-1");
  EXPECT_EQ(keys.tenant_of("beta"), "key-2");
  EXPECT_FALSE(keys.tenant_of("Bearer gamma"));
  EXPECT_FALSE(keys.accepts("Bearer gamma"));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace ingot::http
