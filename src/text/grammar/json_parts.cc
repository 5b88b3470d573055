#include "text/grammar/json_parts.h"

#include <algorithm>
#include <map>

#include "text/grammar/scanner.h"

namespace ingot::grammar {
namespace {

const std::vector<CodeRange> kHex = {{'0', '9'}, {'A', 'F'}, {'a', 'f'}};
const std::vector<CodeRange> kEscaped = {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};

bool needs_escape(uint32_t code) { return code < 0x20 || code == '"' || code == '\\'; }

std::string written(uint32_t code) {
  if (!needs_escape(code)) return utf8(code);
  switch (code) {
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    case '\b': return "\\b";
    case '\f': return "\\f";
    case '"': return "\\\"";
    case '\\': return "\\\\";
    default: return fmt::format("\\u{:04x}", code);
  }
}

Expr digit_range(char low, char high) {
  return characters({{static_cast<uint32_t>(low), static_cast<uint32_t>(high)}});
}

// A set of names as a tree of characters.
struct NameTree {
  std::map<uint32_t, NameTree> next;
  bool ends = false;
};

Expr none_of(const NameTree& tree, const Expr& rest) {
  std::vector<CodeRange> taken = kEscaped;
  std::vector<Expr> parts, others;
  for (const auto& [code, child] : tree.next) {
    taken.push_back({code, code});
    parts.push_back(sequence({literal(written(code)), none_of(child, rest)}));
  }
  others.push_back(characters(taken, true));
  for (char c : {'"', '\\', '\b', '\f', '\n', '\r', '\t'})  // one way to write each: no name is written in another
    if (!tree.next.contains(static_cast<uint8_t>(c))) others.push_back(literal(written(static_cast<uint8_t>(c))));
  parts.push_back(sequence({choice(std::move(others)), rest}));
  if (!tree.ends) parts.push_back(literal(""));
  return choice(std::move(parts));
}

}  // namespace

Expr json_character() {
  const Expr hex = characters(kHex);
  const Expr not_surrogate =
      choice({sequence({characters({{'0', '9'}, {'A', 'C'}, {'E', 'F'}, {'a', 'c'}, {'e', 'f'}}), repeat(hex, 3, 3)}),
              sequence({characters({{'D', 'D'}, {'d', 'd'}}), digit_range('0', '7'), repeat(hex, 2, 2)})});
  Expr escape = choice(
      {characters({{'"', '"'}, {'/', '/'}, {'\\', '\\'}, {'b', 'b'}, {'f', 'f'}, {'n', 'n'}, {'r', 'r'}, {'t', 't'}}),
       sequence({literal("u"), not_surrogate})});
  return choice({characters(kEscaped, true), sequence({literal("\\"), std::move(escape)})});
}

Expr json_string(int64_t length_min, int64_t length_max) {
  return sequence({literal("\""), repeat(json_character(), length_min, length_max), literal("\"")});
}

Expr json_written(const Expr& text) {
  using Kind = Expression::Kind;
  Expression out = *text;
  for (Expr& part : out.parts) part = json_written(part);
  if (text->kind == Kind::kLiteral) {
    out.text.clear();
    for (char c : text->text)
      out.text += needs_escape(static_cast<uint8_t>(c)) ? written(static_cast<uint8_t>(c)) : std::string(1, c);
  }
  if (text->kind != Kind::kClass) return std::make_shared<const Expression>(std::move(out));
  std::vector<Expr> parts;
  std::vector<CodeRange> plain;
  for (const auto& [low, high] : text->ranges) {
    uint32_t begin = low;
    for (uint32_t code = low; code <= std::min<uint32_t>(high, '\\'); ++code) {
      if (!needs_escape(code)) continue;
      if (code > begin) plain.push_back({begin, code - 1});
      parts.push_back(literal(written(code)));
      begin = code + 1;
    }
    if (begin <= high) plain.push_back({begin, high});
  }
  if (!plain.empty()) parts.push_back(characters(std::move(plain)));
  return choice(std::move(parts));
}

Expr json_key_except(std::span<const std::string> names, const Expr& rest) {
  NameTree root;
  for (const std::string& name : names) {
    NameTree* at = &root;
    for (Scanner in("json_schema", name); !in.at_end();) {
      const auto code = in.code_point();
      if (!code) break;  // not UTF-8: no key is written like this
      at = &at->next[*code];
    }
    at->ends = true;
  }
  return sequence({literal("\""), none_of(root, rest), literal("\"")});
}

}  // namespace ingot::grammar
