#include "text/grammar/compose.h"

#include <fmt/format.h>

#include <algorithm>

namespace ingot::grammar {
namespace {

// How much of `end` still stands at the end of end[0, matched) + c: the automaton of Knuth, Morris and Pratt.
size_t after(std::string_view end, size_t matched, char c) {
  const std::string text = std::string(end.substr(0, matched)) + c;
  for (size_t size = std::min(text.size(), end.size()); size > 0; --size)
    if (text.ends_with(end.substr(0, size))) return size;
  return 0;
}

}  // namespace

Expr add_text_until(Rules& rules, std::string_view end) {
  const auto place = [&](size_t matched) { return rules.declare(fmt::format("until {} {}", end, matched)); };
  for (size_t matched = 0; matched < end.size(); ++matched) {
    if (rules.defined(place(matched))) break;
    std::vector<CodeRange> named;
    std::vector<Expr> parts;
    for (const char c : std::string(end)) {
      const auto code = static_cast<uint32_t>(c);
      const CodeRange range{code, code};
      if (std::ranges::find(named, range) != named.end()) continue;
      named.push_back(range);
      const size_t next = after(end, matched, c);
      const Expr letter = literal(std::string(1, c));
      parts.push_back(next == end.size() ? letter : sequence({letter, rule(place(next))}));
    }
    parts.push_back(sequence({characters(named, true), rule(place(0))}));
    rules.define(place(matched), choice(std::move(parts)));
  }
  return rule(place(0));
}

std::string special_token_bytes(std::string_view text) { return "\xFF" + std::string(text) + "\xFE"; }

Expr special_token(std::string_view text) { return literal(special_token_bytes(text)); }

Expr after_lead(Rules& rules, const Lead& lead, Expr body) {
  if (lead.kind == Lead::Kind::kNone) return body;
  const Expr newlines = repeat(literal("\n"), 0, 2);
  const Expr thought = lead.special
                           ? sequence({repeat(characters({}, true), 0, -1), special_token(lead.close), newlines})
                           : sequence({add_text_until(rules, lead.close), newlines});
  if (lead.kind == Lead::Kind::kOpen) return sequence({thought, std::move(body)});
  const Expr open = lead.special ? special_token(lead.open) : literal(lead.open);
  return sequence({optional(sequence({open, thought})), std::move(body)});
}

}  // namespace ingot::grammar
