// What a grammar's rules are made of, whatever it was written in: GBNF, a regular expression, a JSON Schema.
//
// An expression is an immutable tree; Rules gathers named ones and compiles them to an Automaton.
// Feeds gbnf.cc, regex.cc, json_schema.cc. Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "text/grammar/automaton.h"

namespace ingot::grammar {

struct Expression;
using Expr = std::shared_ptr<const Expression>;
using CodeRange = std::pair<uint32_t, uint32_t>;  // code points, both ends in

struct Expression {
  enum class Kind : uint8_t { kLiteral, kClass, kSequence, kChoice, kRepeat, kRule };
  Kind kind;
  std::string text;               // kLiteral
  std::vector<CodeRange> ranges;  // kClass: sorted, disjoint
  std::vector<Expr> parts;        // kSequence, kChoice; of kRepeat the one that is repeated
  int64_t min = 0, max = -1;      // kRepeat; max -1: without end
  int32_t rule = -1;              // kRule
};

Expr literal(std::string text);
// Any one of these characters, or with `negated` any but these.
Expr characters(std::vector<CodeRange> ranges, bool negated = false);
Expr sequence(std::vector<Expr> parts);
Expr choice(std::vector<Expr> parts);
Expr repeat(Expr part, int64_t min, int64_t max);
inline Expr optional(Expr part) { return repeat(std::move(part), 0, 1); }
Expr rule(int32_t index);

class Rules {
 public:
  // The rule's index; the same for the same name.
  int32_t declare(std::string_view name);
  void define(int32_t index, Expr body) { rules_[static_cast<size_t>(index)].body = std::move(body); }
  bool defined(int32_t index) const { return rules_[static_cast<size_t>(index)].body != nullptr; }
  size_t size() const { return rules_.size(); }

  // Errors: kInvalidArgument (a rule without body, or one that calls itself before it takes a character),
  // kResourceExhausted past limits::kGrammarStatesMax.
  // Adds a rule for the root.
  Result<std::shared_ptr<const Automaton>> compile(Expr root);

 private:
  struct Rule {
    std::string name;
    Expr body;
  };
  std::vector<Rule> rules_;
  std::map<std::string, int32_t, std::less<>> index_;  // by name
};

}  // namespace ingot::grammar
