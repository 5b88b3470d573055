// The KV cache's pages: counting, sharing by content, eviction order.
#include "llm/kv_pages.h"

#include <gtest/gtest.h>

namespace ingot {
namespace {

using Tokens = std::vector<int32_t>;
const PageKey kRoot = root_page_key("", 7);

int32_t filled(KvPages& pages, const PageKey& parent, const Tokens& tokens) {
  const int32_t page = *pages.allocate();
  EXPECT_EQ(pages.publish(page, page_key(parent, tokens), tokens), page);
  return page;
}

TEST(KvPages, runs_out_with_an_error_and_recovers) {
  KvPages pages(2, 4);
  const int32_t a = *pages.allocate();
  ASSERT_TRUE(pages.allocate());
  const auto none = pages.allocate();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Code::kResourceExhausted);
  pages.release(a);
  EXPECT_TRUE(pages.allocate());
  EXPECT_TRUE(pages.check());
}

TEST(KvPages, content_is_found_while_held_and_after_release) {
  KvPages pages(4, 2);
  const PageKey key = page_key(kRoot, Tokens{1, 2});
  const int32_t page = filled(pages, kRoot, {1, 2});
  EXPECT_EQ(pages.find(key, Tokens{1, 2}), page);
  pages.release(page);
  EXPECT_EQ(pages.num_free(), 4);
  EXPECT_EQ(pages.num_cached(), 1);
  EXPECT_EQ(pages.find(key, Tokens{1, 2}), page);
  pages.retain(page);
  EXPECT_EQ(pages.num_cached(), 0);
  EXPECT_TRUE(pages.check());
}

TEST(KvPages, a_key_whose_tokens_differ_is_no_hit) {
  KvPages pages(4, 2);
  filled(pages, kRoot, {1, 2});
  EXPECT_FALSE(pages.find(page_key(kRoot, Tokens{1, 2}), Tokens{1, 3}));
}

TEST(KvPages, the_same_tokens_after_another_prefix_or_salt_have_another_key) {
  const Tokens t{5, 6};
  const PageKey a = page_key(page_key(kRoot, Tokens{1, 2}), t), b = page_key(page_key(kRoot, Tokens{1, 3}), t);
  EXPECT_NE(a, b);
  EXPECT_NE(page_key(kRoot, t), page_key(root_page_key("salt", 7), t));
  EXPECT_NE(page_key(kRoot, t), page_key(root_page_key("", 8), t));
}

TEST(KvPages, publishing_content_twice_names_the_first_page) {
  KvPages pages(4, 2);
  const int32_t first = filled(pages, kRoot, {1, 2}), second = *pages.allocate();
  EXPECT_EQ(pages.publish(second, page_key(kRoot, Tokens{1, 2}), Tokens{1, 2}), first);
  pages.release(second);
  EXPECT_EQ(pages.num_cached(), 0);
  EXPECT_TRUE(pages.check());
}

TEST(KvPages, evicts_only_unreferenced_pages_least_recently_released_first) {
  KvPages pages(3, 1);
  const int32_t a = filled(pages, kRoot, {1}), b = filled(pages, kRoot, {2}), c = filled(pages, kRoot, {3});
  pages.release(b);
  pages.release(a);
  EXPECT_EQ(*pages.allocate(), b);
  EXPECT_EQ(*pages.allocate(), a);
  EXPECT_FALSE(pages.allocate());
  EXPECT_EQ(pages.find(page_key(kRoot, Tokens{3}), Tokens{3}), c);
  EXPECT_FALSE(pages.find(page_key(kRoot, Tokens{2}), Tokens{2}));
  EXPECT_EQ(pages.num_evictions(), 2U);
  EXPECT_TRUE(pages.check());
}

TEST(KvPages, forgetting_keeps_what_is_held) {
  KvPages pages(3, 1);
  const int32_t a = filled(pages, kRoot, {1});
  pages.release(filled(pages, kRoot, {2}));
  pages.forget();
  EXPECT_EQ(pages.num_cached(), 0);
  EXPECT_EQ(pages.num_free(), 2);
  EXPECT_FALSE(pages.find(page_key(kRoot, Tokens{1}), Tokens{1}));
  pages.release(a);
  EXPECT_EQ(pages.num_free(), 3);
  EXPECT_TRUE(pages.check());
}

}  // namespace
}  // namespace ingot
