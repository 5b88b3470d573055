#include "text/jinja/values/format.h"

#include <algorithm>
#include <cmath>

#include "text/jinja/values/operators.h"
#include "text/jinja/values/print.h"
#include "text/jinja/values/text_ops.h"
#include "text/jinja/values/unicode.h"
#include "text/unicode/unicode.h"

namespace ingot::jinja {
namespace {

constexpr int64_t kPrecisionMax = 1000;

// What stands between % or {: and the conversion.
struct Spec {
  std::string fill = " ";
  char align = 0;  // < > = ^
  char sign = 0;   // + or space
  bool alternate = false;
  bool zero = false;
  int64_t width = 0;
  int64_t precision = -1;
  char grouping = 0;  // , or _
  char type = 0;
};

int64_t read_number(std::string_view s, size_t& at) {
  int64_t n = 0;
  while (at < s.size() && s[at] >= '0' && s[at] <= '9') {
    n = n * 10 + (s[at++] - '0');
    if (n > INT32_MAX) fail("a width or precision in a format string is too large");
  }
  return n;
}

std::string digits_of(uint64_t v, unsigned base) {
  std::string out;
  do {
    out += "0123456789abcdef"[v % base];
    v /= base;
  } while (v != 0);
  std::reverse(out.begin(), out.end());
  return out;
}

std::string group(const std::string& digits, char separator, size_t every) {
  if (separator == 0) return digits;
  const size_t whole = std::min(digits.find_first_not_of("0123456789abcdefABCDEF"), digits.size());
  std::string out;
  for (size_t i = 0; i < whole; ++i) {
    if (i > 0 && (whole - i) % every == 0) out += separator;
    out += digits[i];
  }
  return out + digits.substr(whole);
}

// Magnitude of a float in C's notation; the sign is the caller's.
std::string magnitude(double v, char type, int64_t precision, bool alternate) {
  if (std::isnan(v)) return type == 'F' || type == 'E' || type == 'G' ? "NAN" : "nan";
  if (std::isinf(v)) return type == 'F' || type == 'E' || type == 'G' ? "INF" : "inf";
  if (precision > kPrecisionMax) fail("precision {} in a format string is too large", precision);
  const char format[] = {
      '%', alternate ? '#' : '.', alternate ? '.' : '*', alternate ? '*' : type, alternate ? type : '\0', '\0'};
  const int size = std::snprintf(nullptr, 0, format, static_cast<int>(precision), v);
  std::string out(static_cast<size_t>(size), '\0');
  std::snprintf(out.data(), out.size() + 1, format, static_cast<int>(precision), v);
  return out;
}

// Joins sign, prefix and digits and pads to the width.
std::string finish_number(Heap& heap, const Spec& spec, bool negative, const std::string& prefix,
                          const std::string& body) {
  const std::string sign = negative ? "-" : spec.sign != 0 ? std::string(1, spec.sign) : "";
  const auto used = static_cast<int64_t>(sign.size() + prefix.size() + body.size());
  const char align = spec.align != 0 ? spec.align : spec.zero ? '=' : '>';
  if (align == '=' && used < spec.width) {
    const std::string fill = spec.align == 0 && spec.zero ? "0" : spec.fill;
    heap.require(static_cast<size_t>(spec.width) * fill.size());
    std::string padding;
    for (int64_t i = used; i < spec.width; ++i) padding += fill;
    return sign + prefix + padding + body;
  }
  const Align side = align == '<' ? Align::kLeft : align == '^' ? Align::kCenter : Align::kRight;
  if (side == Align::kCenter) {  // format() puts the odd space to the right
    const int64_t total = spec.width - used;
    const std::string left = total > 0 ? pad(heap, "", total / 2, spec.fill, Align::kLeft) : "";
    return pad(heap, left + sign + prefix + body, spec.width, spec.fill, Align::kLeft);
  }
  return pad(heap, sign + prefix + body, spec.width, spec.fill, side);
}

std::string format_integer(Heap& heap, Spec spec, int64_t v, bool percent) {
  const uint64_t abs = v < 0 ? ~static_cast<uint64_t>(v) + 1 : static_cast<uint64_t>(v);
  const char type = static_cast<char>(spec.type | 0x20);
  const unsigned base = type == 'x' ? 16 : type == 'o' ? 8 : type == 'b' ? 2 : 10;
  std::string digits = digits_of(abs, base);
  if (spec.precision > static_cast<int64_t>(digits.size())) {
    if (spec.precision > kPrecisionMax) fail("precision {} in a format string is too large", spec.precision);
    digits.insert(0, static_cast<size_t>(spec.precision) - digits.size(), '0');
  }
  digits = group(digits, spec.grouping, base == 10 ? 3 : 4);
  std::string prefix = spec.alternate && base != 10 ? std::string("0") + type : "";
  if (spec.type == 'X') {
    for (char& c : digits) c = static_cast<char>(c >= 'a' ? c - 32 : c);
    if (!prefix.empty()) prefix = "0X";
  }
  if (percent && spec.align == '<') spec.zero = false;
  return finish_number(heap, spec, v < 0, prefix, digits);
}

std::string format_real(Heap& heap, const Spec& spec, double v) {
  const bool negative = std::signbit(v) && !std::isnan(v);
  const double abs = negative ? -v : v;
  std::string body;
  if (spec.type == 0) {
    if (spec.precision < 0) {
      body = repr_of_double(abs);
    } else {
      body = magnitude(abs, 'g', std::max<int64_t>(1, spec.precision), spec.alternate);
      if (body.find_first_of(".en") == std::string::npos) body += ".0";
    }
  } else if (spec.type == '%') {
    body = magnitude(abs * 100, 'f', spec.precision < 0 ? 6 : spec.precision, spec.alternate) + "%";
  } else {
    body = magnitude(abs, spec.type, spec.precision < 0 ? 6 : spec.precision, spec.alternate);
  }
  return finish_number(heap, spec, negative, "", group(body, spec.grouping, 3));
}

std::string format_text(Heap& heap, const Spec& spec, std::string_view s) {
  if (spec.precision >= 0) s = s.substr(0, unicode::offset_of(s, static_cast<size_t>(spec.precision)));
  if (spec.align == '^') {
    const int64_t total = spec.width - static_cast<int64_t>(unicode::length(s));
    const std::string left = total > 0 ? pad(heap, "", total / 2, spec.fill, Align::kLeft) : "";
    return pad(heap, left + std::string(s), spec.width, spec.fill, Align::kLeft);
  }
  return pad(heap, s, spec.width, spec.fill, spec.align == '>' ? Align::kRight : Align::kLeft);
}

double number_argument(const Value& v, char type) {
  if (v.is_undefined()) fail_undefined(v);
  if (!v.is_number()) fail("%{} format: a real number is required, not {}", type, type_name(v));
  return v.as_double();
}

int64_t integer_argument(const Value& v, char type) {
  if (v.is_undefined()) fail_undefined(v);
  if (v.is_integral()) return v.as_int();
  const bool takes_float = type == 'd' || type == 'i' || type == 'u';
  if (!takes_float || !v.is(Kind::kFloat)) fail("%{} format: an integer is required, not {}", type, type_name(v));
  const double d = std::trunc(v.as_double());
  if (!(std::abs(d) < 9.2e18)) fail("cannot convert float to a 64-bit integer");
  return static_cast<int64_t>(d);
}

class Percent {
 public:
  Percent(Heap& heap, std::string_view text, const Value& value) : heap_(heap), s_(text), value_(value) {
    if (value.is(Kind::kTuple)) {
      args_ = value.items();
    } else {
      args_ = {value};
    }
  }

  std::string run() {
    std::string out;
    while (at_ < s_.size()) {
      const size_t percent = std::min(s_.find('%', at_), s_.size());
      out += s_.substr(at_, percent - at_);
      at_ = percent + 1;
      if (percent < s_.size()) out += conversion();
      heap_.require(out.size());
    }
    const bool mapping =
        value_.is(Kind::kDict) || value_.is(Kind::kList) || value_.is_undefined() || value_.is(Kind::kRange);
    if (next_ < args_.size() && !mapping) fail("not all arguments converted during string formatting");
    return out;
  }

 private:
  Value take() {
    if (named_) return std::exchange(named_value_, Value());
    if (next_ >= args_.size()) fail("not enough arguments for format string");
    return args_[next_++];
  }
  int64_t star() {
    const Value v = take();
    if (!v.is_integral()) fail("* wants int");
    if (std::abs(v.as_int()) > INT32_MAX) fail("a width or precision in a format string is too large");
    return v.as_int();
  }
  std::string conversion();
  std::string convert(const Spec& spec);

  Heap& heap_;
  std::string_view s_;
  const Value& value_;
  std::vector<Value> args_;
  size_t next_ = 0;
  size_t at_ = 0;
  bool named_ = false;
  Value named_value_;
};

std::string Percent::conversion() {
  Spec spec;
  named_ = false;
  if (at_ < s_.size() && s_[at_] == '(') {
    const size_t close = s_.find(')', at_);
    if (close == std::string_view::npos) fail("incomplete format key");
    if (!value_.is(Kind::kDict)) fail("format requires a mapping");
    const Value* v = value_.dict().find(s_.substr(at_ + 1, close - at_ - 1));
    if (v == nullptr) fail("the mapping has no key '{}'", s_.substr(at_ + 1, close - at_ - 1));
    named_value_ = *v;
    named_ = true;
    next_ = args_.size();
    at_ = close + 1;
  }
  for (; at_ < s_.size(); ++at_) {
    const char c = s_[at_];
    if (c == '-') {
      spec.align = '<';
    } else if (c == '+') {
      spec.sign = '+';
    } else if (c == ' ') {
      if (spec.sign == 0) spec.sign = ' ';
    } else if (c == '#') {
      spec.alternate = true;
    } else if (c == '0') {
      spec.zero = true;
    } else {
      break;
    }
  }
  if (at_ < s_.size() && s_[at_] == '*') {
    ++at_;
    spec.width = star();
    if (spec.width < 0) {
      spec.align = '<';
      spec.width = -spec.width;
    }
  } else {
    spec.width = read_number(s_, at_);
  }
  if (at_ < s_.size() && s_[at_] == '.') {
    ++at_;
    const bool is_star = at_ < s_.size() && s_[at_] == '*';
    at_ += is_star ? 1 : 0;
    spec.precision = is_star ? std::max<int64_t>(0, star()) : read_number(s_, at_);
  }
  while (at_ < s_.size() && (s_[at_] == 'l' || s_[at_] == 'h' || s_[at_] == 'L')) ++at_;
  if (at_ >= s_.size()) fail("incomplete format");
  spec.type = s_[at_++];
  return convert(spec);
}

std::string Percent::convert(const Spec& spec) {
  switch (spec.type) {
    case '%': return "%";
    case 's':
    case 'r':
    case 'a': {
      const Value v = take();
      Spec right = spec;
      if (right.align == 0) right.align = '>';
      const std::string text = spec.type == 's' ? to_text(heap_, v) : repr(heap_, v);
      return format_text(heap_, right, text);
    }
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'X':
    case 'o': return format_integer(heap_, spec, integer_argument(take(), spec.type), true);
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G': {
      Spec plain = spec;
      if (spec.align == '<') plain.zero = false;
      return format_real(heap_, plain, number_argument(take(), spec.type));
    }
    case 'c': {
      const Value v = take();
      std::string c;
      if (v.is_string() && v.string_object().count() == 1) {
        c = v.text();
      } else if (v.is_integral() && v.as_int() >= 0 && v.as_int() < 0x110000) {
        tokenizer::append_utf8(c, static_cast<char32_t>(v.as_int()));
      } else {
        fail("%c requires int or char");
      }
      Spec right = spec;
      if (right.align == 0) right.align = '>';
      right.precision = -1;
      return format_text(heap_, right, c);
    }
    default: fail("unsupported format character '{}'", spec.type);
  }
}

Spec parse_spec(std::string_view s) {
  static constexpr std::string_view kAligns = "<>=^";
  Spec spec;
  size_t at = 0;
  size_t second = 0;
  if (!s.empty()) unicode::decode(s, second);
  if (second < s.size() && kAligns.find(s[second]) != std::string_view::npos) {
    spec.fill = s.substr(0, second);
    spec.align = s[second];
    at = second + 1;
  } else if (!s.empty() && kAligns.find(s[0]) != std::string_view::npos) {
    spec.align = s[at++];
  }
  const auto take = [&](char c) { return at < s.size() && s[at] == c && ++at != 0; };
  if (at < s.size() && (s[at] == '+' || s[at] == '-' || s[at] == ' ')) {
    spec.sign = s[at] == '-' ? 0 : s[at];
    ++at;
  }
  spec.alternate = take('#');
  spec.zero = take('0');
  spec.width = read_number(s, at);
  if (at < s.size() && (s[at] == ',' || s[at] == '_')) spec.grouping = s[at++];
  if (take('.')) {
    if (at >= s.size() || s[at] < '0' || s[at] > '9') fail("Format specifier missing precision");
    spec.precision = read_number(s, at);
  }
  if (at < s.size()) spec.type = s[at++];
  if (at < s.size()) fail("Invalid format specifier '{}'", s);
  return spec;
}

std::string format_value(Heap& heap, const Value& v, std::string_view text) {
  if (text.empty()) return to_text(heap, v);
  Spec spec = parse_spec(text);
  static constexpr std::string_view kReal = "eEfFgG%";
  const bool real = spec.type != 0 && kReal.find(spec.type) != std::string_view::npos;
  if (v.is(Kind::kBool) && spec.type == 0) return format_text(heap, spec, v.as_bool() ? "True" : "False");
  if (v.is_integral() && !real) {
    static constexpr std::string_view kTypes = "bdoxXc";
    if (spec.type != 0 && kTypes.find(spec.type) == std::string_view::npos) {
      fail("Unknown format code '{}' for object of type 'int'", spec.type);
    }
    if (spec.precision >= 0) fail("Precision not allowed in integer format specifier");
    return format_integer(heap, spec, v.as_int(), false);
  }
  if (v.is_number()) {
    if (spec.type != 0 && !real) fail("Unknown format code '{}' for object of type 'float'", spec.type);
    return format_real(heap, spec, v.as_double());
  }
  if (!v.is_string()) fail("unsupported format string passed to {}.__format__", type_name(v));
  if (spec.type != 0 && spec.type != 's') fail("Unknown format code '{}' for object of type 'str'", spec.type);
  if (spec.align == '=' || spec.sign != 0 || spec.grouping != 0)
    fail("Invalid format specifier '{}' for a string", text);
  if (spec.zero && spec.align == 0) spec.fill = "0";
  return format_text(heap, spec, v.text());
}

class Braces {
 public:
  Braces(Heap& heap, const Arguments& args) : heap_(heap), args_(args) {}

  std::string run(std::string_view s, int depth) {
    if (depth > 1) fail("Max string recursion exceeded");
    std::string out;
    for (size_t at = 0; at < s.size();) {
      const char c = s[at];
      if ((c == '{' || c == '}') && at + 1 < s.size() && s[at + 1] == c) {
        out += c;
        at += 2;
      } else if (c == '{') {
        out += field(s, at, depth);
      } else if (c == '}') {
        fail("Single '}}' encountered in format string");
      } else {
        out += c;
        ++at;
      }
      heap_.require(out.size());
    }
    return out;
  }

 private:
  std::string field(std::string_view s, size_t& at, int depth);
  Value look_up(std::string_view name);

  Heap& heap_;
  const Arguments& args_;
  int64_t next_ = 0;  // -1: fields are numbered by hand
};

std::string Braces::field(std::string_view s, size_t& at, int depth) {
  size_t end = at + 1;
  int open = 1;
  for (; end < s.size(); ++end) {
    if (s[end] == '{') ++open;
    if (s[end] == '}' && --open == 0) break;
  }
  if (end >= s.size()) fail("expected '}}' before end of string");
  const std::string_view inside = s.substr(at + 1, end - at - 1);
  at = end + 1;
  size_t name_end = 0;
  for (bool bracket = false; name_end < inside.size(); ++name_end) {
    const char c = inside[name_end];
    if (c == '[') bracket = true;
    if (c == ']') bracket = false;
    if (!bracket && (c == '!' || c == ':')) break;
  }
  Value value = look_up(inside.substr(0, name_end));
  std::string_view rest = inside.substr(name_end);
  if (rest.starts_with('!')) {
    if (rest.size() < 2 || (rest.size() > 2 && rest[2] != ':')) fail("expected ':' after conversion specifier");
    if (rest[1] != 'r' && rest[1] != 's' && rest[1] != 'a') fail("Unknown conversion specifier '{}'", rest[1]);
    value = heap_.string(rest[1] == 's' ? to_text(heap_, value) : repr(heap_, value));
    rest.remove_prefix(2);
  }
  const std::string spec = rest.size() > 1 ? run(rest.substr(1), depth + 1) : "";
  return format_value(heap_, value, spec);
}

Value Braces::look_up(std::string_view name) {
  const size_t first_end = std::min(name.find_first_of(".["), name.size());
  const std::string_view first = name.substr(0, first_end);
  Value value;
  const bool number = !first.empty() && first.find_first_not_of("0123456789") == std::string_view::npos;
  if (first.empty() || number) {
    if (first.empty() ? next_ < 0 : next_ > 0) fail("cannot switch between automatic and manual field numbering");
    size_t pos = 0;
    const int64_t i = first.empty() ? next_++ : read_number(first, pos);
    if (number) next_ = -1;
    if (i >= static_cast<int64_t>(args_.positional.size())) fail("Replacement index {} out of range", i);
    value = args_.positional[static_cast<size_t>(i)];
  } else {
    for (const auto& [key, v] : args_.named) {
      if (key.text() == first) value = v;
    }
    if (value.is_missing()) fail("the format arguments have no key '{}'", first);
  }
  for (size_t at = first_end; at < name.size();) {
    if (name[at] == '.') {
      const size_t end = std::min(name.find_first_of(".[", at + 1), name.size());
      value = get_attribute(heap_, value, heap_.string(std::string(name.substr(at + 1, end - at - 1))));
      at = end;
    } else {
      const size_t close = name.find(']', at);
      if (name[at] != '[' || close == std::string_view::npos) fail("Missing ']' in format string");
      const std::string_view key = name.substr(at + 1, close - at - 1);
      size_t pos = 0;
      const bool index = !key.empty() && key.find_first_not_of("0123456789") == std::string_view::npos;
      value = get_item(heap_, value, index ? Value::integer(read_number(key, pos)) : heap_.string(std::string(key)));
      at = close + 1;
    }
  }
  return value;
}

}  // namespace

std::string format_percent(Heap& heap, std::string_view text, const Value& value) {
  return Percent(heap, text, value).run();
}

std::string format_braces(Heap& heap, std::string_view text, const Arguments& args) {
  return Braces(heap, args).run(text, 0);
}

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&#34;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace ingot::jinja
