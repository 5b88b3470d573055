#include "backends/ref/text/pattern.h"

#include <gtest/gtest.h>

namespace ingot::text {
namespace {

TEST(Pattern, whole_patterns_match_whole_texts_only) {
  const auto pattern = Pattern::compile("a|ab", true);
  const auto matcher = Matcher::make();
  ASSERT_TRUE(pattern && matcher);
  EXPECT_TRUE(matcher->find(*pattern, "ab")->any);
  EXPECT_FALSE(matcher->find(*pattern, "abc")->any);
  EXPECT_FALSE(matcher->find(*pattern, "ab\n")->any);
  EXPECT_FALSE(matcher->find(*pattern, "a\xff")->any) << "not UTF-8";
}

TEST(Pattern, what_re2_has_not_is_refused) {
  EXPECT_FALSE(Pattern::compile("(a)\\1", false));
  EXPECT_FALSE(Pattern::compile("(", false));
  EXPECT_FALSE(Pattern::compile(std::string(1 << 20, 'a'), false));
}

TEST(Pattern, exponential_patterns_end_with_an_error) {
  const auto pattern = Pattern::compile("(a|aa)+(a|aa)+[bx]", true);
  const auto matcher = Matcher::make();
  ASSERT_TRUE(pattern && matcher);
  const auto found = matcher->find(*pattern, std::string(2000, 'a') + "c");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), Code::kResourceExhausted);
}

TEST(Pattern, long_texts_match) {
  const auto pattern = Pattern::compile("(ab|c)*", true);
  const auto matcher = Matcher::make();
  ASSERT_TRUE(pattern && matcher);
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += "ab";
  const auto found = matcher->find(*pattern, text);
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_TRUE(found->any);
}

}  // namespace
}  // namespace ingot::text
