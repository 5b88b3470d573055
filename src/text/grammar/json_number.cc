#include "text/grammar/json_number.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>

namespace ingot::grammar {
namespace {

using Integer = NumberBounds::Integer;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr Integer power_of_ten(int n) { return n == 0 ? 1 : 10 * power_of_ten(n - 1); }
constexpr Integer kIntegerMax = power_of_ten(19) - 1;

// Numbers with a point are counted in units of their last digit.
constexpr int kWholeDigits = 17, kFractionDigits = 21;
constexpr Integer kOne = power_of_ten(kFractionDigits), kFixedMax = power_of_ten(kWholeDigits + kFractionDigits) - 1;

Expr digits(size_t min, size_t max) {
  return repeat(characters({{'0', '9'}}), static_cast<int64_t>(min), static_cast<int64_t>(max));
}
Expr digit_range(char low, char high) {
  return characters({{static_cast<uint32_t>(low), static_cast<uint32_t>(high)}});
}
Expr digit(char c) { return literal(std::string(1, c)); }
bool all(std::string_view text, char c) { return text.find_first_not_of(c) == text.npos; }

// Digit strings of equal length from `low` to `high`.
Expr same_length(std::string_view low, std::string_view high) {
  const size_t rest = low.size() - 1;
  if (all(low, '0') && all(high, '9')) return digits(low.size(), low.size());
  if (low[0] == high[0]) return sequence({digit(low[0]), same_length(low.substr(1), high.substr(1))});
  const std::string nines(rest, '9'), zeros(rest, '0');
  std::vector<Expr> parts{sequence({digit(low[0]), same_length(low.substr(1), nines)}),
                          sequence({digit(high[0]), same_length(zeros, high.substr(1))})};
  if (high[0] - low[0] > 1)
    parts.push_back(
        sequence({digit_range(static_cast<char>(low[0] + 1), static_cast<char>(high[0] - 1)), digits(rest, rest)}));
  return choice(std::move(parts));
}

// Digits behind a point, at least `min` (0 or 1) of them, whose value lies from `low` to `high` (equal lengths).
Expr fraction(std::string_view low, std::string_view high, size_t min) {
  const size_t rest = low.size() - 1;
  if (all(low, '0') && all(high, '9')) return digits(min, low.size());
  std::vector<Expr> parts;
  if (min == 0 && all(low, '0')) parts.push_back(literal(""));
  const auto add = [&](Expr first, std::string_view from, std::string_view to) {
    parts.push_back(sequence({std::move(first), rest > 0 ? fraction(from, to, 0) : literal("")}));
  };
  const std::string nines(rest, '9'), zeros(rest, '0');
  if (low[0] == high[0]) {
    add(digit(low[0]), low.substr(1), high.substr(1));
  } else {
    add(digit(low[0]), low.substr(1), nines);
    add(digit(high[0]), zeros, high.substr(1));
    if (high[0] - low[0] > 1)
      add(digit_range(static_cast<char>(low[0] + 1), static_cast<char>(high[0] - 1)), zeros, nines);
  }
  return choice(std::move(parts));
}

// Whole numbers from low to high, 0 <= low <= high <= kIntegerMax, without leading zeros.
Expr whole(Integer low, Integer high) {
  const std::string last = std::to_string(static_cast<uint64_t>(high));
  std::vector<Expr> parts;
  for (std::string first = std::to_string(static_cast<uint64_t>(low));;) {
    if (first.size() == last.size()) {
      parts.push_back(same_length(first, last));
      return choice(std::move(parts));
    }
    parts.push_back(same_length(first, std::string(first.size(), '9')));
    first = "1" + std::string(first.size(), '0');
  }
}

std::string fraction_digits(Integer fixed) {
  std::string out(kFractionDigits, '0');
  Integer rest = fixed % kOne;
  for (size_t i = out.size(); i-- > 0; rest /= 10) out[i] = static_cast<char>('0' + static_cast<int>(rest % 10));
  return out;
}

// Numbers with a point from low to high, 0 <= low.
void add_fractions(std::vector<Expr>& parts, const char* sign, Integer low, Integer high) {
  if (low > high) return;
  const Integer first = low / kOne, last = high / kOne;
  const std::string from = fraction_digits(low), to = fraction_digits(high);
  const std::string zeros(kFractionDigits, '0'), nines(kFractionDigits, '9');
  const auto add = [&](Expr before, const std::string& a, const std::string& b) {
    parts.push_back(sequence({literal(sign), std::move(before), literal("."), fraction(a, b, 1)}));
  };
  if (first == last) return add(whole(first, last), from, to);
  add(whole(first, first), from, nines);
  if (last - first > 1) add(whole(first + 1, last - 1), zeros, nines);
  add(whole(last, last), zeros, to);
}

// x in units of the last digit, rounded up or down; past kFixedMax if it has too many digits.
// The shortest decimal that rounds to x stands for it: decimals beyond it round to x or beyond.
Integer fixed(double x, bool up) {
  if (std::abs(x) >= 1e17) return x < 0 ? -kFixedMax - 1 : kFixedMax + 1;
  char text[40];
  const char* const end = std::to_chars(text, text + sizeof text, std::abs(x), std::chars_format::scientific).ptr;
  Integer value = 0;
  int shift = kFractionDigits + 1, exponent = 0;
  const char* at = text;
  for (; *at != 'e'; ++at) {
    if (*at == '.') continue;
    value = value * 10 + (*at - '0');
    --shift;
  }
  std::from_chars(at[1] == '+' ? at + 2 : at + 1, end, exponent);
  shift += exponent;
  if (shift >= 0) return (x < 0 ? -value : value) * power_of_ten(shift);
  const Integer unit = power_of_ten(std::min(-shift, 20));
  const bool away = up == (x > 0) && value % unit != 0;
  value = value / unit + (away ? 1 : 0);
  return x < 0 ? -value : value;
}

void add_integers(std::vector<Expr>& parts, const NumberBounds& b) {
  const Integer low = std::max(b.integer_min, -kIntegerMax), high = std::min(b.integer_max, kIntegerMax);
  if (low > high) return;
  if (high >= 0) parts.push_back(whole(std::max<Integer>(low, 0), high));
  if (low < 0) parts.push_back(sequence({literal("-"), whole(std::max<Integer>(-high, 1), -low)}));
}

// Where a sign's numbers are all allowed: magnitudes from 1e-307 to below 1e308.
void add_exponents(std::vector<Expr>& parts, const NumberBounds& b) {
  const bool free = b.min == -kInfinity && b.max == kInfinity;
  const Expr power = choice({digits(1, 2), sequence({digit_range('0', '2'), digits(2, 2)}),
                             sequence({literal("30"), digit_range('0', '7')})});
  const Expr number =
      sequence({digit_range(free ? '0' : '1', '9'), optional(sequence({literal("."), digits(1, kFractionDigits)})),
                characters({{'E', 'E'}, {'e', 'e'}}), optional(characters({{'+', '+'}, {'-', '-'}})), power});
  if (b.min <= 1e-307 && b.max == kInfinity) parts.push_back(number);
  if (b.max >= -1e-307 && b.min == -kInfinity) parts.push_back(sequence({literal("-"), number}));
}

struct Least {
  Integer integer;
  double number;
};

// The least integer and the least double that are not below the bound (exclusive: above it); negated: of -bound.
Least least(const boost::json::value& bound, bool negated, bool exclusive) {
  if (bound.is_double()) {
    const double x = negated ? -bound.get_double() : bound.get_double();
    const auto up = static_cast<Integer>(std::clamp(std::ceil(x), -1e20, 1e20));
    return {up + (exclusive && std::ceil(x) == x ? 1 : 0), exclusive ? std::nextafter(x, kInfinity) : x};
  }
  Integer n = bound.is_int64() ? Integer{bound.get_int64()} : Integer{bound.get_uint64()};
  if (negated) n = -n;
  auto x = static_cast<double>(n);
  if (static_cast<Integer>(x) < n || (exclusive && static_cast<Integer>(x) == n)) x = std::nextafter(x, kInfinity);
  return {n + (exclusive ? 1 : 0), x};
}

Result<Expr> made(std::vector<Expr> parts, bool is_empty, std::string_view what) {
  if (!parts.empty()) return choice(std::move(parts));
  if (is_empty) return invalid("[json_schema] no {} lies between 'minimum' and 'maximum'", what);
  return unimplemented("[json_schema] 'minimum' and 'maximum' leave only {}s of too many digits", what);
}

}  // namespace

void NumberBounds::at_least(const boost::json::value& bound, bool exclusive) {
  const auto [integer, number] = least(bound, false, exclusive);
  integer_min = std::max(integer_min, integer);
  min = std::max(min, number);
}

void NumberBounds::at_most(const boost::json::value& bound, bool exclusive) {
  const auto [integer, number] = least(bound, true, exclusive);
  integer_max = std::min(integer_max, -integer);
  max = std::min(max, -number);
}

Result<Expr> json_integer(const NumberBounds& bounds) {
  std::vector<Expr> parts;
  add_integers(parts, bounds);
  return made(std::move(parts), bounds.integer_min > bounds.integer_max, "integer");
}

Result<Expr> json_number(const NumberBounds& bounds) {
  std::vector<Expr> parts;
  add_integers(parts, bounds);
  const Integer low = std::max(fixed(bounds.min, true), -kFixedMax),
                high = std::min(fixed(bounds.max, false), kFixedMax);
  add_fractions(parts, "", std::max<Integer>(low, 0), high);
  add_fractions(parts, "-", std::max<Integer>(-high, 1), -low);
  add_exponents(parts, bounds);
  return made(std::move(parts), bounds.min > bounds.max && bounds.integer_min > bounds.integer_max, "number");
}

}  // namespace ingot::grammar
