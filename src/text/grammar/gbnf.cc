// Reads GBNF: `name ::= alternatives` with literals, classes, groups, rule names and quantifiers.
#include <cctype>

#include "base/limits.h"
#include "text/grammar/compose.h"
#include "text/grammar/grammar.h"
#include "text/grammar/scanner.h"
#include "text/unicode/unicode.h"

namespace ingot::grammar {
namespace {

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_'; }

class GbnfReader {
 public:
  GbnfReader(Rules& rules, std::string_view text) : in_("gbnf", text), rules_(rules) {}

  Result<Expr> read() {
    for (skip_space(true); !in_.at_end(); skip_space(true)) {
      const int32_t index = rules_.declare(INGOT_TRY(name()));
      skip_space(true);
      if (!in_.take("::=")) return in_.fail("'::=' must follow the rule's name");
      if (rules_.defined(index)) return in_.fail("this rule is defined twice");
      rules_.define(index, INGOT_TRY(alternatives(0)));
    }
    const size_t known = rules_.size();
    const int32_t root = rules_.declare("root");
    if (rules_.size() != known) return invalid("[gbnf] there is no rule 'root'");
    return rule(root);
  }

 private:
  // Spaces and comments. A rule's body goes on in the next line only inside parentheses or after '|'.
  void skip_space(bool lines) {
    while (!in_.at_end()) {
      const char c = in_.peek();
      if (c == '#')
        while (!in_.at_end() && in_.peek() != '\n') in_.skip(1);
      else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r')))
        in_.skip(1);
      else
        return;
    }
  }

  Result<std::string> name() {
    const size_t begin = in_.position();
    while (is_name(in_.peek())) in_.skip(1);
    if (in_.position() == begin) return in_.fail("a rule's name must stand here");
    return std::string(in_.since(begin));
  }

  Result<Expr> alternatives(int depth) {
    if (depth > limits::kGrammarDepthMax) return in_.fail("groups are nested too deeply");
    std::vector<Expr> parts;
    do {
      skip_space(true);
      parts.push_back(INGOT_TRY(items(depth)));
    } while (in_.take("|"));
    return parts.size() == 1 ? parts.front() : choice(std::move(parts));
  }

  Result<Expr> items(int depth) {
    std::vector<Expr> parts;
    for (;; skip_space(depth > 0)) {
      const char c = in_.peek();
      if (c != '"' && c != '[' && c != '(' && c != '.' && !is_name(c)) break;
      parts.push_back(INGOT_TRY(in_.quantified(INGOT_TRY(item(depth)))));
    }
    if (!in_.at_end() && std::string_view("|)\r\n").find(in_.peek()) == std::string_view::npos)
      return in_.fail("this character is not expected here");
    return sequence(std::move(parts));
  }

  Result<Expr> item(int depth) {
    if (in_.take("\"")) {
      std::string text;
      while (!in_.take("\"")) text += utf8(in_.take("\\") ? INGOT_TRY(in_.escape()) : INGOT_TRY(in_.code_point()));
      return literal(std::move(text));
    }
    if (in_.take("[")) return in_.character_class();
    if (in_.take(".")) return characters({}, true);
    if (in_.take("(")) {
      Expr inside = INGOT_TRY(alternatives(depth + 1));
      if (!in_.take(")")) return in_.fail("')' is missing");
      return inside;
    }
    return rule(rules_.declare(INGOT_TRY(name())));
  }

  Scanner in_;
  Rules& rules_;
};

}  // namespace

Result<Expr> add_gbnf(Rules& rules, std::string_view text) {
  if (text.size() > limits::kGrammarBytesMax)
    return invalid("[gbnf] {} bytes are over the limit of {}", text.size(), limits::kGrammarBytesMax);
  if (!tokenizer::is_valid_utf8(text)) return invalid("[gbnf] the grammar is not valid UTF-8");
  return GbnfReader(rules, text).read();
}

Compiled from_gbnf(std::string_view text) {
  Rules rules;
  return rules.compile(INGOT_TRY(add_gbnf(rules, text)));
}

}  // namespace ingot::grammar
