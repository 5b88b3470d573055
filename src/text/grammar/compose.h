// Grammars as parts of a larger one: each reader adds its rules and gives the expression that stands for it.
//
// Feeds grammar.h (one part alone), llm/grammar_mask.cc (a part after free text) and text/tools (many schemas).
// Thread-safety: pure functions on the caller's Rules.
#pragma once

#include <boost/json/fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "text/grammar/expression.h"

namespace ingot::grammar {

// What grammar.h says of from_gbnf() and the others. At most one GBNF in a set of rules.
Result<Expr> add_gbnf(Rules& rules, std::string_view text);
Result<Expr> regex_part(std::string_view pattern);
Result<Expr> choice_part(std::span<const std::string> choices);
// How objects at the schema's top are written.
enum class ObjectStyle : uint8_t {
  kJson,     // {"a": 1}
  kKeywords  // a=1: what stands between the parentheses of a call; for names that are identifiers, else **{"a": 1}
};
// scope: tells the rules of several schemas apart; part of their names only.
Result<Expr> add_json_schema(Rules& rules, const boost::json::value& schema, std::string_view scope,
                             ObjectStyle style = ObjectStyle::kJson);
Result<Expr> add_json_schema_text(Rules& rules, std::string_view schema);
Expr add_json_object(Rules& rules);

// Any text up to and with the first `end` (plain ASCII, not empty).
Expr add_text_until(Rules& rules, std::string_view end);

// A special token by its text: it is allowed as that token alone, never letter by letter. See TokenTrie.
Expr special_token(std::string_view text);
std::string special_token_bytes(std::string_view text);

// Free text before a grammar begins: what a model thinks before it answers.
struct Lead {
  enum class Kind : uint8_t {
    kNone,
    kOpen,      // the text begins inside: up to `close`, then the grammar
    kOptional,  // `open`, up to `close`, then the grammar; or the grammar at once
  };
  Kind kind = Kind::kNone;
  std::string open, close;
  bool special = false;  // they are special tokens

  bool operator==(const Lead&) const = default;
};
Expr after_lead(Rules& rules, const Lead& lead, Expr body);

}  // namespace ingot::grammar
