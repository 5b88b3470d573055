#include "text/jinja/builtins/builtins.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "text/jinja/values/operators.h"
#include "text/jinja/values/print.h"
#include "text/jinja/values/unicode.h"

namespace ingot::jinja {

// A leading '/' in the parameters: none of them may be given by name.
Bound::Bound(std::string_view function, std::string_view parameters, size_t required, const Arguments& arguments)
    : function_(function) {
  const bool by_name = !parameters.starts_with('/');
  if (!by_name) parameters.remove_prefix(1);
  std::vector<std::string_view> names;
  while (!parameters.empty()) {
    const size_t comma = std::min(parameters.find(','), parameters.size());
    names.push_back(parameters.substr(0, comma));
    parameters.remove_prefix(std::min(comma + 1, parameters.size()));
  }
  if (arguments.positional.size() > names.size()) {
    fail("{}() takes at most {} arguments ({} given)", function, names.size(), arguments.positional.size());
  }
  values_ = arguments.positional;
  values_.resize(names.size());
  for (const auto& [key, value] : arguments.named) {
    const auto at = std::find(names.begin(), names.end(), key.text());
    if (!by_name || at == names.end()) fail("{}() got an unexpected keyword argument '{}'", function, key.text());
    Value& slot = values_[static_cast<size_t>(at - names.begin())];
    if (!slot.is_missing()) fail("{}() got multiple values for argument '{}'", function, key.text());
    slot = value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (values_[i].is_missing()) fail("{}() missing required argument '{}'", function, names[i]);
  }
}

int64_t Bound::integer(size_t i, int64_t otherwise) const {
  const Value& v = values_[i];
  if (v.is_missing()) return otherwise;
  if (v.is_undefined()) fail_undefined(v);
  if (!v.is_integral()) fail("{}(): '{}' object cannot be interpreted as an integer", function_, type_name(v));
  return v.as_int();
}

int64_t Bound::integer_or_none(size_t i, int64_t otherwise) const {
  return values_[i].is_none() ? otherwise : integer(i, otherwise);
}

std::string_view Bound::string(size_t i, std::string_view otherwise) const {
  const Value& v = values_[i];
  if (v.is_missing()) return otherwise;
  if (v.is_undefined()) fail_undefined(v);
  if (!v.is_string()) fail("{}(): must be str, not {}", function_, type_name(v));
  return v.text();
}

bool Bound::truth(Heap& heap, size_t i, bool otherwise) const {
  return values_[i].is_missing() ? otherwise : jinja::truth(heap, values_[i]);
}

namespace {

constexpr int kPerTable = 64;

std::span<const Filter> filter_table(int table) {
  switch (table) {
    case 0: return text_filters();
    case 1: return number_filters();
    case 2: return sequence_filters();
    default: return item_filters();
  }
}

}  // namespace

int find_filter(std::string_view name) {
  for (int table = 0; table < 4; ++table) {
    const auto rows = filter_table(table);
    for (size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].name == name) return table * kPerTable + static_cast<int>(i);
    }
  }
  return -1;
}

Value call_filter(Interpreter& in, int id, const Value& input, const Arguments& args) {
  const Filter& f = filter_table(id / kPerTable)[static_cast<size_t>(id % kPerTable)];
  if (f.raw != nullptr) return f.raw(in, input, args);
  return f.fn(in, input, Bound(f.name, f.parameters, f.required, args));
}

// -- numbers from text

bool parse_int(std::string_view text, int64_t base, int64_t& out) {
  const std::string_view s = unicode::strip(text, true, true);
  std::string digits;
  size_t pos = 0;
  bool negative = false;
  if (!s.empty() && (s[0] == '+' || s[0] == '-')) negative = s[pos++] == '-';
  if (base != 0 && (base < 2 || base > 36)) return false;
  bool prefixed = false;
  if (s.size() >= pos + 2 && s[pos] == '0') {
    const char kind = static_cast<char>(s[pos + 1] | 0x20);
    const int64_t implied = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 0;
    if (implied != 0 && (base == implied || base == 0)) {
      base = implied;
      pos += 2;
      prefixed = true;
    }
  }
  const bool literal = base == 0;
  if (literal) base = 10;
  bool last_was_digit = prefixed;
  while (pos < s.size()) {
    const char32_t c = unicode::decode(s, pos);
    if (c == '_') {
      if (!last_was_digit) return false;
      last_was_digit = false;
      continue;
    }
    int v = unicode::decimal_value(c);
    if (v < 0 && c < 0x80 && ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')) v = static_cast<int>((c | 0x20) - 'a') + 10;
    if (v < 0 || v >= base) return false;
    digits += "0123456789abcdefghijklmnopqrstuvwxyz"[v];
    last_was_digit = true;
  }
  if (digits.empty() || !last_was_digit) return false;
  if (literal && digits.size() > 1 && digits[0] == '0' && digits.find_first_not_of('0') != std::string::npos)
    return false;
  if (negative) digits.insert(0, 1, '-');
  const auto r = std::from_chars(digits.data(), digits.data() + digits.size(), out, static_cast<int>(base));
  if (r.ec == std::errc::result_out_of_range) fail("the number {} passes 64 bits", digits.substr(0, 40));
  return r.ec == std::errc();
}

bool parse_float(std::string_view text, double& out) {
  const std::string_view s = unicode::strip(text, true, true);
  std::string plain;
  for (size_t pos = 0; pos < s.size();) {
    const char32_t c = unicode::decode(s, pos);
    if (c == '_') {
      const bool between = !plain.empty() && plain.back() >= '0' && plain.back() <= '9' && pos < s.size() &&
                           s[pos] >= '0' && s[pos] <= '9';
      if (!between) return false;
      continue;
    }
    const int v = unicode::decimal_value(c);
    if (v >= 0) {
      plain += static_cast<char>('0' + v);
    } else if (c < 0x80) {
      plain += static_cast<char>(c);
    } else {
      return false;
    }
  }
  std::string_view body = plain;
  if (body.starts_with('+') || body.starts_with('-')) body.remove_prefix(1);
  std::string word(body);
  for (char& c : word) c = static_cast<char>(c | 0x20);
  if (word == "inf" || word == "infinity" || word == "nan") {
    out = word == "nan" ? NAN : INFINITY;
    if (plain.starts_with('-')) out = -out;
    return true;
  }
  const bool starts_well = !body.empty() && ((body[0] >= '0' && body[0] <= '9') || body[0] == '.');
  if (!starts_well || body.find_first_not_of("0123456789.eE+-") != std::string_view::npos) return false;
  char* end = nullptr;
  out = std::strtod(plain.c_str(), &end);
  return end == plain.c_str() + plain.size() && plain.find_first_of("0123456789") != std::string::npos;
}

}  // namespace ingot::jinja
