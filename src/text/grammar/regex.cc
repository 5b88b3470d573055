#include "text/grammar/regex.h"

#include "base/limits.h"
#include "text/grammar/compose.h"
#include "text/grammar/grammar.h"
#include "text/grammar/scanner.h"
#include "text/unicode/unicode.h"

namespace ingot::grammar {
namespace {

class RegexReader {
 public:
  RegexReader(std::string_view pattern, Expr any) : in_("regex", pattern), any_(std::move(any)) {}

  Result<Expr> read(bool anchored) {
    std::vector<Expr> branches;
    do {
      const bool from_start = in_.take("^") || anchored;
      std::vector<Expr> parts;
      if (!from_start) parts.push_back(repeat(any_, 0, -1));
      parts.push_back(INGOT_TRY(sequence_of_atoms(0)));
      if (!in_.take("$") && !anchored) parts.push_back(repeat(any_, 0, -1));
      branches.push_back(sequence(std::move(parts)));
    } while (in_.take("|"));
    if (!in_.at_end()) return in_.fail(in_.peek() == ')' ? "')' without '('" : "'$' stands inside the pattern");
    return choice(std::move(branches));
  }

 private:
  Result<Expr> alternatives(int depth) {
    if (depth > limits::kGrammarDepthMax) return in_.fail("groups are nested too deeply");
    std::vector<Expr> parts;
    do parts.push_back(INGOT_TRY(sequence_of_atoms(depth)));
    while (in_.take("|"));
    return choice(std::move(parts));
  }

  Result<Expr> sequence_of_atoms(int depth) {
    std::vector<Expr> parts;
    while (!in_.at_end() && in_.peek() != '|' && in_.peek() != ')' && !(depth == 0 && in_.peek() == '$')) {
      Expr part = INGOT_TRY(in_.quantified(INGOT_TRY(atom(depth))));
      if (part->kind == Expression::Kind::kRepeat) in_.take("?");  // lazy: the same texts
      parts.push_back(std::move(part));
    }
    return sequence(std::move(parts));
  }

  Result<Expr> atom(int depth) {
    const char c = in_.peek();
    if (c == '^' || c == '$') return in_.fail("an anchor stands inside the pattern: that is not supported");
    if (c == '*' || c == '+' || c == '?' || c == '{') return in_.fail("nothing to repeat");
    if (in_.take("[")) return in_.character_class();
    if (in_.take(".")) return any_;
    if (in_.take("(")) {
      if (in_.take("?") && !in_.take(":")) return in_.fail("'(?' other than '(?:' is not supported");
      Expr inside = INGOT_TRY(alternatives(depth + 1));
      if (!in_.take(")")) return in_.fail("')' is missing");
      return inside;
    }
    if (!in_.take("\\")) return literal(utf8(INGOT_TRY(in_.code_point())));
    if (auto whole = in_.class_escape()) return *whole;
    return literal(utf8(INGOT_TRY(in_.escape())));
  }

  Scanner in_;
  Expr any_;
};

}  // namespace

Result<Expr> parse_regex(std::string_view pattern, bool anchored, const Expr& any) {
  if (pattern.size() > limits::kRegexBytesMax)
    return invalid("[regex] {} bytes are over the limit of {}", pattern.size(), limits::kRegexBytesMax);
  if (!tokenizer::is_valid_utf8(pattern)) return invalid("[regex] the pattern is not valid UTF-8");
  return RegexReader(pattern, any).read(anchored);
}

Result<Expr> regex_part(std::string_view pattern) {
  return parse_regex(pattern, true, characters({{'\n', '\n'}}, true));
}

Result<Expr> choice_part(std::span<const std::string> choices) {
  if (choices.empty()) return invalid("[grammar] 'choice' is empty: give at least one text");
  std::vector<Expr> parts;
  for (const std::string& c : choices) {
    if (!tokenizer::is_valid_utf8(c)) return invalid("[grammar] a choice is not valid UTF-8");
    parts.push_back(literal(c));
  }
  return choice(std::move(parts));
}

Compiled from_regex(std::string_view pattern) { return Rules().compile(INGOT_TRY(regex_part(pattern))); }

Compiled from_choice(std::span<const std::string> choices) { return Rules().compile(INGOT_TRY(choice_part(choices))); }

}  // namespace ingot::grammar
