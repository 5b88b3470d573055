#include "text/grammar/json_parts.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "text/grammar/scanner.h"

namespace ingot::grammar {
namespace {

// Numbers have at most so many digits before and after the point: what a double holds exactly.
constexpr int kDigitsMax = 15;
constexpr int64_t kIntegerMax = 999'999'999'999'999;

const std::vector<CodeRange> kDigit = {{'0', '9'}};
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

Expr digits(int64_t min, int64_t max) { return repeat(characters(kDigit), min, max); }
Expr digit_range(char low, char high) {
  return characters({{static_cast<uint32_t>(low), static_cast<uint32_t>(high)}});
}

// Digit strings of equal length from `low` to `high`.
Expr same_length(std::string_view low, std::string_view high) {
  if (low.find_first_not_of('0') == low.npos && high.find_first_not_of('9') == high.npos)
    return digits(static_cast<int64_t>(low.size()), static_cast<int64_t>(low.size()));
  const auto rest = static_cast<int64_t>(low.size()) - 1;
  if (low[0] == high[0]) return sequence({literal(std::string(1, low[0])), same_length(low.substr(1), high.substr(1))});
  const std::string nines(low.size() - 1, '9'), zeros(low.size() - 1, '0');
  std::vector<Expr> parts{sequence({literal(std::string(1, low[0])), same_length(low.substr(1), nines)}),
                          sequence({literal(std::string(1, high[0])), same_length(zeros, high.substr(1))})};
  if (high[0] - low[0] > 1)
    parts.push_back(
        sequence({digit_range(static_cast<char>(low[0] + 1), static_cast<char>(high[0] - 1)), digits(rest, rest)}));
  return choice(std::move(parts));
}

// Whole numbers from low to high, 0 <= low <= high, without leading zeros.
Expr whole(int64_t low, int64_t high) {
  std::vector<Expr> parts;
  for (std::string first = std::to_string(low), last = std::to_string(high);;) {
    if (first.size() == last.size()) {
      parts.push_back(same_length(first, last));
      return choice(std::move(parts));
    }
    parts.push_back(same_length(first, std::string(first.size(), '9')));
    first = "1" + std::string(first.size(), '0');
  }
}

struct IntegerRange {
  int64_t low, high;
};

// The integers inside the bounds.
IntegerRange integers_in(const NumberBounds& b) {
  const auto limit = static_cast<double>(kIntegerMax);
  double low = std::clamp(std::ceil(b.min.value_or(-limit)), -limit, limit + 1);
  double high = std::clamp(std::floor(b.max.value_or(limit)), -limit - 1, limit);
  if (b.min_exclusive && b.min && low == *b.min) ++low;
  if (b.max_exclusive && b.max && high == *b.max) --high;
  return {static_cast<int64_t>(low), static_cast<int64_t>(high)};
}

void add_signed(std::vector<Expr>& parts, int64_t low, int64_t high, const Expr& after) {
  if (low > high) return;
  if (high >= 0) parts.push_back(sequence({whole(std::max<int64_t>(low, 0), high), after}));
  if (low < 0) parts.push_back(sequence({literal("-"), whole(std::max<int64_t>(-high, 1), -low), after}));
}

// A set of names as a tree of bytes.
struct NameTree {
  std::map<char, NameTree> next;
  bool ends = false;
};

Expr none_of(const NameTree& tree) {
  std::vector<CodeRange> taken = kEscaped;
  std::vector<Expr> parts;
  for (const auto& [c, child] : tree.next) {
    const auto code = static_cast<uint32_t>(static_cast<uint8_t>(c));
    taken.push_back({code, code});
    parts.push_back(sequence({literal(std::string(1, c)), none_of(child)}));
  }
  parts.push_back(sequence({characters(taken, true), repeat(characters(kEscaped, true), 0, -1)}));
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

Expr json_key_except(std::span<const std::string> names) {
  NameTree root;
  for (const std::string& name : names) {
    // A key is written here without escapes, and only in ASCII where names begin alike.
    if (!std::ranges::all_of(
            name, [](char c) { return static_cast<uint8_t>(c) < 0x80 && !needs_escape(static_cast<uint8_t>(c)); }))
      continue;
    NameTree* at = &root;
    for (char c : name) at = &at->next[c];
    at->ends = true;
  }
  return sequence({literal("\""), none_of(root), literal("\"")});
}

Result<Expr> json_integer(const NumberBounds& bounds) {
  const auto [low, high] = integers_in(bounds);
  std::vector<Expr> parts;
  add_signed(parts, low, high, literal(""));
  if (parts.empty()) return invalid("[json_schema] no integer lies between 'minimum' and 'maximum'");
  return choice(std::move(parts));
}

Result<Expr> json_number(const NumberBounds& bounds) {
  const auto [low, high] = integers_in(bounds);
  std::vector<Expr> parts;
  add_signed(parts, low, high, literal(""));
  // A fraction that is not zero keeps a number strictly between two integers, so it needs both inside the bounds.
  const Expr fraction = sequence({literal("."), digits(0, kDigitsMax - 1), digit_range('1', '9')});
  const double first = std::clamp(std::ceil(bounds.min.value_or(-1e15)), -1e15, 1e15);
  const double last = std::clamp(std::floor(bounds.max.value_or(1e15)), -1e15, 1e15);
  const auto from = static_cast<int64_t>(first), to = static_cast<int64_t>(last);  // [from, to] holds no other bound
  if (to > from && to > 0) parts.push_back(sequence({whole(std::max<int64_t>(from, 0), to - 1), fraction}));
  if (to > from && from < 0)
    parts.push_back(sequence({literal("-"), whole(std::max<int64_t>(-to, 0), -from - 1), fraction}));
  if (!bounds.min && !bounds.max) {
    const Expr exponent =
        sequence({characters({{'E', 'E'}, {'e', 'e'}}), optional(characters({{'+', '+'}, {'-', '-'}})), digits(1, 2)});
    parts.push_back(sequence({optional(literal("-")), digit_range('1', '9'), optional(fraction), exponent}));
  }
  if (parts.empty()) return invalid("[json_schema] no number lies between 'minimum' and 'maximum'");
  return choice(std::move(parts));
}

}  // namespace ingot::grammar
