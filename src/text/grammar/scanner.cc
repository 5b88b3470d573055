#include "text/grammar/scanner.h"

#include <algorithm>
#include <cctype>

#include "base/limits.h"

namespace ingot::grammar {
namespace {

const std::vector<CodeRange> kDigits = {{'0', '9'}};
const std::vector<CodeRange> kWord = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const std::vector<CodeRange> kSpace = {{'\t', '\r'}, {' ', ' '}};

}  // namespace

std::string utf8(uint32_t code) {
  std::string out;
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  const int size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (int i = 1; i < size; ++i, code >>= 6) out.insert(out.begin(), static_cast<char>(0x80 | (code & 0x3F)));
  out.insert(out.begin(), static_cast<char>((0xF00 >> size & 0xF0) | code));
  return out;
}

std::unexpected<Status> Scanner::fail(std::string_view problem) const {
  return invalid("[{}] at byte {}: {}", what_, at_, problem);
}

bool Scanner::take(std::string_view wanted) {
  if (!text_.substr(std::min(at_, text_.size())).starts_with(wanted)) return false;
  at_ += wanted.size();
  return true;
}

Result<uint32_t> Scanner::code_point() {
  if (at_end()) return fail("the text ends too early");
  const auto first = static_cast<uint8_t>(text_[at_]);
  const size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (at_ + size > text_.size()) return fail("it is not UTF-8");
  uint32_t code = size == 1 ? first : first & (0x7F >> size);
  for (size_t i = 1; i < size; ++i) code = code << 6 | (static_cast<uint8_t>(text_[at_ + i]) & 0x3F);
  at_ += size;
  return code;
}

Result<uint32_t> Scanner::hex(int digits) {
  uint32_t value = 0;
  for (int i = 0; i < digits; ++i) {
    const char c = peek();
    if (!std::isxdigit(static_cast<unsigned char>(c)))
      return fail(fmt::format("{} hexadecimal digits must follow", digits));
    value = value << 4 | static_cast<uint32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    ++at_;
  }
  if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return fail("that is no character");
  return value;
}

Result<uint32_t> Scanner::escape() {
  const char c = peek();
  if (at_end()) return fail("a backslash ends the text");
  ++at_;
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'f': return '\f';
    case 'v': return '\v';
    case '0': return 0;
    case 'x': return hex(2);
    case 'u': return hex(4);
    case 'U': return hex(8);
    default: break;
  }
  if (std::isalnum(static_cast<unsigned char>(c)) || static_cast<uint8_t>(c) >= 0x80) {
    --at_;
    return fail(fmt::format("the escape '\\{}' is not supported", c));
  }
  return static_cast<uint32_t>(c);
}

std::optional<Expr> Scanner::class_escape() {
  const char c = peek();
  const auto* ranges = c == 'd' || c == 'D'   ? &kDigits
                       : c == 'w' || c == 'W' ? &kWord
                       : c == 's' || c == 'S' ? &kSpace
                                              : nullptr;
  if (!ranges) return std::nullopt;
  ++at_;
  return characters(*ranges, c < 'a');
}

Result<Expr> Scanner::character_class() {
  const bool negated = take("^");
  std::vector<CodeRange> ranges;
  while (!take("]")) {
    if (at_end()) return fail("']' is missing");
    if (take("\\")) {
      if (const auto whole = class_escape()) {
        ranges.insert(ranges.end(), (*whole)->ranges.begin(), (*whole)->ranges.end());
        continue;
      }
      --at_;
    }
    const uint32_t low = take("\\") ? INGOT_TRY(escape()) : INGOT_TRY(code_point());
    uint32_t high = low;
    if (peek() == '-' && peek(1) != ']' && peek(1) != '\0') {
      ++at_;
      high = take("\\") ? INGOT_TRY(escape()) : INGOT_TRY(code_point());
    }
    if (high < low) return fail("a range runs backwards");
    ranges.push_back({low, high});
  }
  if (ranges.empty() && !negated) return fail("an empty character class matches nothing");
  return characters(std::move(ranges), negated);
}

Result<int64_t> Scanner::count() {
  int64_t value = 0;
  if (!std::isdigit(static_cast<unsigned char>(peek()))) return fail("a count must follow");
  for (; std::isdigit(static_cast<unsigned char>(peek())); ++at_) {
    value = value * 10 + (peek() - '0');
    if (value > limits::kGrammarRepeatMax) return fail(fmt::format("a count is over {}", limits::kGrammarRepeatMax));
  }
  return value;
}

Result<Expr> Scanner::quantified(Expr part) {
  if (take("*")) return repeat(std::move(part), 0, -1);
  if (take("+")) return repeat(std::move(part), 1, -1);
  if (take("?")) return optional(std::move(part));
  if (!take("{")) return part;
  const int64_t min = peek() == ',' ? 0 : INGOT_TRY(count());
  int64_t max = min;
  if (take(",")) max = peek() == '}' ? -1 : INGOT_TRY(count());
  if (!take("}")) return fail("'}' is missing");
  if (max >= 0 && max < min) return fail("a count's end is below its start");
  return repeat(std::move(part), min, max);
}

}  // namespace ingot::grammar
