#include "text/jinja/values/unicode.h"

#include <utf8proc.h>

#include <algorithm>

namespace ingot::jinja::unicode {
namespace {

bool is_continuation(unsigned char c) { return (c & 0xC0) == 0x80; }

// The bytes of the character at `pos`, 0 if they are not UTF-8.
size_t sequence_size(std::string_view s, size_t pos) {
  const auto b = static_cast<unsigned char>(s[pos]);
  const size_t n = b < 0x80 ? 1 : b < 0xC2 ? 0 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : b < 0xF5 ? 4 : 0;
  if (n == 0 || pos + n > s.size()) return 0;
  for (size_t i = 1; i < n; ++i) {
    if (!is_continuation(static_cast<unsigned char>(s[pos + i]))) return 0;
  }
  return n;
}

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

struct Range {
  char32_t first, last;
};
// Digits that are not decimal digits (superscripts, circled digits, ...).
constexpr Range kOtherDigits[] = {{0xb2, 0xb3},       {0xb9, 0xb9},       {0x1369, 0x1371},   {0x19da, 0x19da},
                                  {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
                                  {0x2474, 0x247c},   {0x2488, 0x2490},   {0x24ea, 0x24ea},   {0x24f5, 0x24fd},
                                  {0x24ff, 0x24ff},   {0x2776, 0x277e},   {0x2780, 0x2788},   {0x278a, 0x2792},
                                  {0x10a40, 0x10a43}, {0x10e60, 0x10e68}, {0x11052, 0x1105a}, {0x1f100, 0x1f10a}};

}  // namespace

char32_t decode(std::string_view s, size_t& pos) {
  const size_t n = sequence_size(s, pos);
  const auto b = static_cast<unsigned char>(s[pos]);
  if (n <= 1) {
    ++pos;
    return n == 1 ? b : 0xFFFD;
  }
  char32_t c = b & (0xFF >> (n + 1));
  for (size_t i = 1; i < n; ++i) c = (c << 6) | (static_cast<unsigned char>(s[pos + i]) & 0x3F);
  pos += n;
  return c;
}

size_t length(std::string_view s) {
  if (std::all_of(s.begin(), s.end(), [](char c) { return static_cast<signed char>(c) >= 0; })) return s.size();
  size_t n = 0;
  for (size_t pos = 0; pos < s.size(); ++n) decode(s, pos);
  return n;
}

size_t offset_of(std::string_view s, size_t index) {
  size_t pos = 0;
  while (index-- > 0 && pos < s.size()) decode(s, pos);
  return pos;
}

std::vector<std::string_view> characters(std::string_view s) {
  std::vector<std::string_view> result;
  for (size_t pos = 0; pos < s.size();) {
    const size_t start = pos;
    decode(s, pos);
    result.push_back(s.substr(start, pos - start));
  }
  return result;
}

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_printable(char32_t c) {
  if (c < 0x7F) return c >= 0x20;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS: return false;
    default: return true;
  }
}

bool is_alpha(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return true;
    default: return false;
  }
}

bool is_decimal(char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }

bool is_digit(char32_t c) {
  if (is_decimal(c)) return true;
  return std::any_of(std::begin(kOtherDigits), std::end(kOtherDigits),
                     [c](const Range& r) { return c >= r.first && c <= r.last; });
}

bool is_numeric(char32_t c) {
  const auto k = category(c);
  return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO;
}

bool is_alnum(char32_t c) { return is_alpha(c) || is_numeric(c); }
bool is_lower(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LL || c == 0xAA || c == 0xBA; }
bool is_upper(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LU; }
bool is_title(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LT; }
bool is_identifier_start(char32_t c) { return c == '_' || is_alpha(c) || category(c) == UTF8PROC_CATEGORY_NL; }
bool is_identifier_part(char32_t c) {
  const auto k = category(c);
  return is_identifier_start(c) || k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_MC ||
         k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_PC;
}

int decimal_value(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9' ? static_cast<int>(c - '0') : -1;
  if (!is_decimal(c)) return -1;
  // Decimal digits of a script stand in runs of ten that begin at its zero.
  char32_t zero = c;
  while (c - zero < 9 && is_decimal(zero - 1)) --zero;
  if (c >= 0x1D7CE && c <= 0x1D7FF) return static_cast<int>((c - 0x1D7CE) % 10);
  return static_cast<int>(c - zero);
}

std::string_view strip(std::string_view s, bool left, bool right) {
  size_t begin = 0;
  size_t end = s.size();
  while (left && begin < end) {
    size_t pos = begin;
    if (!is_space(decode(s, pos))) break;
    begin = pos;
  }
  while (right && end > begin) {
    size_t start = end - 1;
    while (start > begin && is_continuation(static_cast<unsigned char>(s[start]))) --start;
    size_t pos = start;
    if (!is_space(decode(s, pos)) || pos != end) break;
    end = start;
  }
  return s.substr(begin, end - begin);
}

std::string_view strip(std::string_view s, std::string_view chars, bool left, bool right) {
  const auto set = characters(chars);
  const auto has = [&](std::string_view c) { return std::find(set.begin(), set.end(), c) != set.end(); };
  const auto all = characters(s);
  size_t begin = 0;
  size_t end = all.size();
  while (left && begin < end && has(all[begin])) ++begin;
  while (right && end > begin && has(all[end - 1])) --end;
  if (begin == end) return s.substr(0, 0);
  const char* first = all[begin].data();
  return {first, static_cast<size_t>(all[end - 1].data() + all[end - 1].size() - first)};
}

std::vector<std::string_view> split_lines(std::string_view s, bool keep_ends) {
  std::vector<std::string_view> lines;
  size_t start = 0;
  for (size_t pos = 0; pos < s.size();) {
    const size_t at = pos;
    const char32_t c = decode(s, pos);
    const bool is_break =
        (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
    if (!is_break) continue;
    if (c == '\r' && pos < s.size() && s[pos] == '\n') ++pos;
    lines.push_back(s.substr(start, (keep_ends ? pos : at) - start));
    start = pos;
  }
  if (start < s.size()) lines.push_back(s.substr(start));
  return lines;
}

}  // namespace ingot::jinja::unicode
