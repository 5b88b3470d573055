// Stop strings against a naive search over the whole text.
#include "llm/stop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace ingot::llm {
namespace {

struct Answer {
  std::string text;
  bool stopped = false;
};

Answer run(const std::vector<std::string>& stops, const std::vector<std::string>& pieces) {
  auto matcher = StopMatcher::create(stops);
  EXPECT_TRUE(matcher);
  Answer out;
  for (const std::string& piece : pieces) {
    const auto o = matcher->push(piece);
    out.text += o.emit;
    out.stopped = o.stopped;
    if (o.stopped) break;
  }
  const auto o = matcher->flush();
  out.text += o.emit;
  return out;
}

// The first place where the text ends in a stop string; the longest one there.
Answer naive(const std::vector<std::string>& stops, const std::string& text) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const std::string& s : stops) {
      if (std::string_view(text).substr(0, end).ends_with(s)) longest = std::max(longest, s.size());
    }
    if (longest > 0) return {text.substr(0, end - longest), true};
  }
  return {text, false};
}

TEST(stop, a_stop_string_may_span_pieces) {
  const Answer r = run({"<end>"}, {"hello <", "en", "d> more"});
  EXPECT_EQ(r.text, "hello ");
  EXPECT_TRUE(r.stopped);
}

TEST(stop, only_what_may_become_a_stop_string_is_held_back) {
  auto m = StopMatcher::create({"abc", "xyz"});
  ASSERT_TRUE(m);
  EXPECT_EQ(m->push("hello a").emit, "hello ");
  EXPECT_EQ(m->push("b").emit, "");
  EXPECT_EQ(m->push("q").emit, "abq");
  EXPECT_EQ(m->push("x").emit, "");
  EXPECT_EQ(m->flush().emit, "x");
}

TEST(stop, nothing_passes_after_a_stop) {
  auto m = StopMatcher::create({"S"});
  const auto o = m->push("aSb");
  EXPECT_EQ(o.emit, "a");
  EXPECT_EQ(o.matched, "S");
  EXPECT_EQ(m->push("c").emit, "");
  EXPECT_TRUE(m->flush().stopped);
}

TEST(stop, without_stop_strings_all_passes_at_once) {
  StopMatcher m;
  EXPECT_EQ(m.push("abc").emit, "abc");
  EXPECT_EQ(m.flush().emit, "");
}

TEST(stop, bad_lists_are_refused) {
  EXPECT_FALSE(StopMatcher::create({""}));
  EXPECT_FALSE(StopMatcher::create({std::string(5000, 'a')}));
  EXPECT_FALSE(StopMatcher::create(std::vector<std::string>(300, "a")));
}

TEST(stop, random_texts_in_random_pieces_give_what_a_naive_search_gives) {
  std::mt19937 rng(1);
  const std::vector<std::string> letters = {"a", "b", "é", "中", "ab"};
  const auto word = [&](size_t n) {
    std::string s;
    while (n-- > 0) s += letters[rng() % letters.size()];
    return s;
  };
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::string> stops, pieces;
    for (size_t n = rng() % 4; n > 0; --n) stops.push_back(word(1 + rng() % 6));
    std::string text;
    for (size_t n = rng() % 12; n > 0; --n) text += pieces.emplace_back(word(rng() % 4));
    const Answer got = run(stops, pieces), want = naive(stops, text);
    ASSERT_EQ(got.text, want.text) << text;
    ASSERT_EQ(got.stopped, want.stopped) << text;
  }
}

TEST(stop, the_emitted_pieces_are_whole_characters) {
  std::mt19937 rng(2);
  const std::vector<std::string> letters = {"é", "è", "中", "丯", "🙂", "a"};
  for (int round = 0; round < 5'000; ++round) {
    auto m = StopMatcher::create({letters[rng() % 6] + letters[rng() % 6]});
    for (int i = 0; i < 8; ++i) {
      const auto o = m->push(letters[rng() % 6]);
      if (!o.emit.empty()) {
        EXPECT_NE(static_cast<unsigned char>(o.emit.front()) & 0xC0, 0x80);
      }
    }
  }
}

}  // namespace
}  // namespace ingot::llm
