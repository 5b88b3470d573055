#include "text/tokenizer/matcher.h"

#include <gtest/gtest.h>

#include <random>

#include "text/unicode/unicode.h"

namespace ingot::tokenizer {
namespace {

std::string show(std::string_view text, const std::vector<Span>& spans) {
  std::string out;
  for (const Span& s : spans) {
    out += s.match ? '[' : '{';
    out.append(text.substr(s.begin, s.end - s.begin));
    out += s.match ? ']' : '}';
  }
  return out;
}

std::string find(const Matcher& m, std::string_view text) {
  std::vector<Span> spans;
  const auto status = m.find_all(text, spans);
  return status ? show(text, spans) : status.error().message();
}

// Text of what the patterns tell apart: letters of each case, digits, spaces, newlines, marks, apostrophes.
// Only code points that PCRE2's Unicode 14 and our Unicode 16 class alike.
std::string random_text(std::mt19937& rng) {
  static const std::vector<std::string> kParts = {
      "a",      "B",      "st",           "LL",         "'",      "'s",     "'RE",     "'ll",
      "\u017F", " ",      "  ",           "\n",         "\r\n",   "\t",     "\u00A0",  "\u3000",
      "1",      "23",     "\u00BD",       "\u0663",     "!",      "?!",     "/",       "_",
      "\u2026", "\u4E00", "\u3042",       "\u30FC",     "\uAC00", "\u00E9", "e\u0301", "\u0301",
      "\u01C5", "\u02B0", "\u0915\u093F", "\U0001F600", "\u200D", "\u200B", "\u180E",  "\x01",
      "$",      "+",      "\u0410\u0431", "\U00010400", "\u00AA", "\u0E01"};
  std::uniform_int_distribution<size_t> part(0, kParts.size() - 1);
  std::uniform_int_distribution<uint32_t> low(1, 0x2FFF);
  std::uniform_int_distribution<int> length(0, 12);
  std::string out;
  for (int n = length(rng); n > 0; --n) {
    const uint32_t cp = low(rng);
    const bool new_in_15 = cp == 0x0CF3 || cp == 0x0ECE || cp == 0x0897 || cp == 0x1C89 || cp == 0x1C8A ||
                           cp == 0x1B4E || cp == 0x1B4F || cp == 0x1B7F || cp >= 0x2FFC ||
                           (cp >= 0x2427 && cp <= 0x2429);
    if (n % 5 == 0 && !new_in_15) {
      append_utf8(out, cp);
    } else {
      out += kParts[part(rng)];
    }
  }
  return out;
}

#define C "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define TAIL R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"
#define UPPER R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
#define UPPERS R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"

class Scanners : public testing::TestWithParam<const char*> {};

TEST_P(Scanners, find_what_pcre2_finds) {
  const auto scanner = scanner_for(GetParam());
  ASSERT_NE(scanner, nullptr);
  const auto regex = compile_regex(GetParam());
  ASSERT_TRUE(regex) << regex.error().message();
  std::mt19937 rng(5);
  for (int i = 0; i < 20000; ++i) {
    const std::string text = random_text(rng);
    ASSERT_EQ(find(*scanner, text), find(**regex, text)) << GetParam();
  }
}

INSTANTIATE_TEST_SUITE_P(
    FamousPatterns, Scanners,
    testing::Values(
        R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
        C R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)" TAIL,
        C R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)" TAIL,
        R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)" TAIL,
        C R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)" TAIL,
        UPPER C "?|" UPPERS C R"(?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*)" TAIL,
        UPPER "|" UPPERS R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*)" TAIL,
        R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*)" TAIL,
        R"(\p{N}{1,3})", R"(\p{N})", R"(\p{N}+)", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"));

TEST(Regex, reads_oniguruma_where_pcre2_differs) {
  const auto run = [](std::string_view pattern, std::string_view text) {
    const auto m = compile_regex(pattern);
    return m ? find(**m, text) : m.error().message();
  };
  EXPECT_EQ(run("\\s", "a\u180E b"), "{a\u180E}[ ]{b}");
  EXPECT_EQ(run("[a-z&&[^aeiou]]+", "abcde"), "{a}[bcd]{e}");
  EXPECT_EQ(run("\\h+", "xfF9z"), "{x}[fF9]{z}");
  EXPECT_EQ(run("(?:ab){,2}", "ababab"), "[abab][ab]");
  EXPECT_EQ(run("\\p{N}{1,3}+", "12345"), "[12345]");
  EXPECT_EQ(run("(?=(\\d{3})+(?!\\d))", "1234567"), "{1}[]{234}[]{567}");
  EXPECT_EQ(run("a{b", "a{b"), "[a{b]");
}

TEST(Regex, names_what_it_cannot_read) {
  const auto bad = compile_regex("(unclosed");
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message().find("(unclosed"), std::string::npos);
  EXPECT_FALSE(compile_regex("[a-"));
  EXPECT_FALSE(compile_regex("\\"));
  EXPECT_FALSE(compile_regex(std::string(1 << 20, 'a')));
}

TEST(Regex, gives_up_on_exponential_patterns_with_an_error) {
  const auto m = compile_regex("(a+)+$");
  ASSERT_TRUE(m);
  std::vector<Span> spans;
  EXPECT_FALSE((*m)->find_all(std::string(64, 'a') + "b", spans));
}

TEST(Unicode, replaces_maximal_invalid_parts) {
  EXPECT_EQ(replace_invalid_utf8("a\xFF"
                                 "b"),
            "a\uFFFDb");
  EXPECT_EQ(replace_invalid_utf8("\xE2\x82"), "\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xE2\x82"
                                 "a\xC0\x80"),
            "\uFFFD"
            "a\uFFFD\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x98\x80"), "\U0001F600");
}

TEST(Unicode, normalizes_across_starters) {
  EXPECT_EQ(normalize("e\u0301x", NormalForm::kNfc), "\u00E9x");
  EXPECT_EQ(normalize("\u00E9", NormalForm::kNfd), "e\u0301");
  EXPECT_EQ(normalize("\u1100\u1161\u11A8", NormalForm::kNfc), "\uAC01");
  EXPECT_EQ(normalize("\uAC00\u11A8", NormalForm::kNfc), "\uAC01");
  EXPECT_EQ(normalize("\uFB01\u00B2", NormalForm::kNfkc), "fi2");
  EXPECT_EQ(normalize("a\u0323\u0307", NormalForm::kNfc), normalize("a\u0307\u0323", NormalForm::kNfc));
}

}  // namespace
}  // namespace ingot::tokenizer
