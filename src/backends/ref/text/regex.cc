// RegexFullMatch, and com.microsoft.Tokenizer, which exporters of scikit-learn's text models use.
#include <algorithm>

#include "backends/ref/dispatch.h"
#include "backends/ref/kernels.h"
#include "backends/ref/prepare.h"
#include "backends/ref/text/pattern.h"

namespace ingot {

Result<RefState> prepare_regex(const NodeView& v) {
  auto pattern = text::Pattern::compile(v.node.attributes.get_string("pattern"), true);
  if (!pattern) return std::unexpected(pattern.error().with_context(v.node.name));
  return RefState{std::make_shared<text::Pattern>(*std::move(pattern))};
}

void ref_RegexFullMatch(KernelContext& c) {
  const auto& pattern = *static_cast<const text::Pattern*>(c.prepared);
  const auto matcher = text::Matcher::make();
  if (!matcher) return c.fail(matcher.error());
  for (int64_t i = 0; i < c.in(0).num_elements(); ++i) {
    const auto found = matcher->find(pattern, c.in(0).as<std::string>()[i]);
    if (!found) return c.fail(found.error());
    c.out(0).as<bool>()[i] = found->any;
  }
}

namespace {

using Tokens = std::vector<std::string_view>;

// Either tokens match one pattern, or separators do, one after the other; neither: every character is a token.
struct TokenRule {
  std::vector<text::Pattern> patterns;
  bool separators = false;
};

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }
int64_t num_characters(std::string_view s) {
  return std::ranges::count_if(s, [](char c) { return !continues(c); });
}

Result<Tokens> matches_of(const text::Matcher& matcher, const text::Pattern& pattern, std::string_view s,
                          bool between) {
  Tokens out;
  size_t at = 0, begin = 0;
  while (at <= s.size()) {
    const auto found = INGOT_TRY(matcher.find(pattern, s, at));
    if (!found.any) break;
    if (found.end > found.begin) {
      out.push_back(between ? s.substr(begin, found.begin - begin) : s.substr(found.begin, found.end - found.begin));
      begin = found.end;
    }
    at = std::max(found.end, at + 1);
    while (at < s.size() && continues(s[at])) ++at;
  }
  if (between) out.push_back(s.substr(begin));
  return out;
}

Result<Tokens> tokenize(const text::Matcher& matcher, const TokenRule& rule, std::string_view s) {
  Tokens out;
  if (rule.patterns.empty()) {
    for (size_t i = 0, n = 0; i < s.size(); i += n) {
      for (n = 1; i + n < s.size() && continues(s[i + n]);) ++n;
      out.push_back(s.substr(i, n));
    }
    return out;
  }
  if (!rule.separators) return matches_of(matcher, rule.patterns[0], s, false);
  out.push_back(s);
  for (const text::Pattern& p : rule.patterns) {
    Tokens parts;
    for (std::string_view part : out)
      std::ranges::copy(INGOT_TRY(matches_of(matcher, p, part, true)), std::back_inserter(parts));
    out = std::move(parts);
  }
  std::erase(out, std::string_view{});
  return out;
}

}  // namespace

Result<RefState> prepare_tokenizer(const NodeView& v) {
  auto rule = std::make_shared<TokenRule>();
  std::vector<std::string> texts = v.node.attributes.strings("separators");
  rule->separators = !texts.empty();
  if (const std::string token = v.node.attributes.get_string("tokenexp"); texts.empty()) texts.push_back(token);
  if (texts.size() == 1 && texts[0].empty()) texts.clear();
  for (const std::string& t : texts) {
    auto pattern = text::Pattern::compile(t, false);
    if (!pattern) return std::unexpected(pattern.error().with_context(v.node.name));
    rule->patterns.push_back(*std::move(pattern));
  }
  return RefState{std::move(rule)};
}

// Rows are as long as the longest: filled with pad_value; mark: between U+0002 and U+0003.
void ref_Tokenizer(KernelContext& c) {
  const auto& rule = *static_cast<const TokenRule*>(c.prepared);
  const auto matcher = text::Matcher::make();
  if (!matcher) return c.fail(matcher.error());
  const TensorView& x = c.in(0);
  const int64_t shortest = c.node.attributes.get_int("mincharnum", 1);
  const bool mark = c.node.attributes.get_int("mark") != 0;
  std::vector<Tokens> rows;
  size_t longest = 0;
  for (int64_t i = 0; i < x.num_elements(); ++i) {
    auto tokens = tokenize(*matcher, rule, x.as<std::string>()[i]);
    if (!tokens) return c.fail(tokens.error());
    std::erase_if(*tokens, [&](std::string_view t) { return num_characters(t) < shortest; });
    longest = std::max(longest, tokens->size());
    rows.push_back(*std::move(tokens));
  }
  const size_t width = longest ? longest + (mark ? 2 : 0) : 0;
  Shape shape = x.shape;
  shape.push_back(static_cast<int64_t>(width));
  c.allocate_output(0, shape);
  if (!c.has_output(0) || width == 0) return;  // no memory, or nothing to write
  const std::string pad = c.node.attributes.get_string("pad_value");
  for (size_t r = 0; r < rows.size(); ++r) {
    std::string* y = c.out(0).as<std::string>() + r * width;
    if (mark) *y++ = "\x02";
    for (size_t i = 0; i < longest; ++i) *y++ = i < rows[r].size() ? std::string(rows[r][i]) : pad;
    if (mark) *y = "\x03";
  }
}

}  // namespace ingot
