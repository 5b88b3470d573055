// Python's str methods. Positions count code points.
#include <algorithm>

#include "text/jinja/builtins/methods.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/values/format.h"
#include "text/jinja/values/print.h"
#include "text/jinja/values/text_ops.h"
#include "text/jinja/values/unicode.h"

namespace ingot::jinja {
namespace {

// The result keeps the mark of a safe string.
Value text(Interpreter& in, const Value& self, std::string out) {
  Value v = in.heap().string(std::move(out));
  return self.is_markup() ? v.as_markup() : v;
}

// A list of parts of self: the parts of a safe string are safe.
template <class Parts>
Value list_of_parts(Interpreter& in, const Value& self, const Parts& parts) {
  if (!self.is_markup()) return strings(in.heap(), parts);
  std::vector<Value> items;
  items.reserve(parts.size());
  for (const auto& part : parts) items.push_back(text(in, self, std::string(part)));
  return in.heap().list(std::move(items));
}

std::string_view string_argument(const Value& v) {
  if (v.is_undefined()) fail_undefined(v);
  if (!v.is_string()) fail("must be str, not {}", type_name(v));
  return v.text();
}

template <std::string (*F)(std::string_view)>
Value map_case(Interpreter& in, const Value& self, const Bound&) {
  in.heap().require(self.text().size() * 3);
  return text(in, self, F(self.text()));
}

template <bool kLeft, bool kRight>
Value strip(Interpreter& in, const Value& self, const Bound& args) {
  in.heap().step_bytes(self.text().size());
  if (!args.has(0) || args[0].is_none()) return text(in, self, std::string(unicode::strip(self.text(), kLeft, kRight)));
  const std::string_view chars = string_argument(args[0]);
  in.heap().step(1 + self.text().size() / 32 * (1 + chars.size()));
  return text(in, self, std::string(unicode::strip(self.text(), chars, kLeft, kRight)));
}

template <bool kFromRight>
Value split(Interpreter& in, const Value& self, const Bound& args) {
  const int64_t most = args.integer(1, -1);
  if (args.has(0) && !args[0].is_none()) {
    const std::string_view separator = string_argument(args[0]);
    if (separator.empty()) fail("empty separator");
    return list_of_parts(in, self, split_by(self.text(), separator, most, kFromRight));
  }
  return list_of_parts(in, self, split_by_space(self.text(), most, kFromRight));
}

Value splitlines(Interpreter& in, const Value& self, const Bound& args) {
  return list_of_parts(in, self, unicode::split_lines(self.text(), args.truth(in.heap(), 0, false)));
}

template <bool kFromRight>
Value partition(Interpreter& in, const Value& self, const Bound& args) {
  const std::string_view s = self.text();
  const std::string_view separator = string_argument(args[0]);
  if (separator.empty()) fail("empty separator");
  const size_t at = kFromRight ? s.rfind(separator) : s.find(separator);
  const auto part = [&](std::string_view piece) { return text(in, self, std::string(piece)); };
  if (at == std::string_view::npos) {
    const Value none = part("");
    return kFromRight ? in.heap().tuple({none, none, part(s)}) : in.heap().tuple({part(s), none, none});
  }
  return in.heap().tuple({part(s.substr(0, at)), part(separator), part(s.substr(at + separator.size()))});
}

// The part of self between the optional start and end arguments; false if start is past the end.
bool window(const Value& self, const Bound& args, size_t first, std::string_view& s, int64_t& start) {
  const int64_t n = self.string_object().count();
  const auto clamp = [n](int64_t i) { return i < 0 ? std::max<int64_t>(0, i < -n ? 0 : i + n) : std::min(i, n + 1); };
  start = clamp(args.integer_or_none(first, 0));
  const int64_t stop = std::min(n, clamp(args.integer_or_none(first + 1, n)));
  if (start > stop) return false;
  const size_t from = unicode::offset_of(self.text(), static_cast<size_t>(start));
  s = self.text().substr(from);
  s = s.substr(0, unicode::offset_of(s, static_cast<size_t>(stop - start)));
  return true;
}

template <bool kEnd>
Value starts_or_ends(Interpreter& in, const Value& self, const Bound& args) {
  std::string_view s;
  int64_t start = 0;
  const bool inside = window(self, args, 1, s, start);
  const auto matches = [&](const Value& affix) {
    const std::string_view a = string_argument(affix);
    return inside && (kEnd ? s.ends_with(a) : s.starts_with(a));
  };
  if (!args[0].is(Kind::kTuple)) return Value::boolean(matches(args[0]));
  for (const Value& affix : args[0].items()) {
    in.heap().step();
    if (matches(affix)) return Value::boolean(true);
  }
  return Value::boolean(false);
}

template <bool kFromRight, bool kMustFind>
Value find(Interpreter& in, const Value& self, const Bound& args) {
  const std::string_view what = string_argument(args[0]);
  in.heap().step_bytes(self.text().size());
  std::string_view s;
  int64_t start = 0;
  const bool inside = window(self, args, 1, s, start);
  const size_t at = !inside ? std::string_view::npos : kFromRight ? s.rfind(what) : s.find(what);
  if (at == std::string_view::npos) {
    if (kMustFind) fail("substring not found");
    return Value::integer(-1);
  }
  return Value::integer(start + static_cast<int64_t>(unicode::length(s.substr(0, at))));
}

Value count(Interpreter& in, const Value& self, const Bound& args) {
  const std::string_view what = string_argument(args[0]);
  in.heap().step_bytes(self.text().size());
  std::string_view s;
  int64_t start = 0;
  if (!window(self, args, 1, s, start)) return Value::integer(0);
  if (what.empty()) return Value::integer(static_cast<int64_t>(unicode::length(s)) + 1);
  int64_t n = 0;
  for (size_t at = s.find(what); at != std::string_view::npos; at = s.find(what, at + what.size())) ++n;
  return Value::integer(n);
}

Value replace(Interpreter& in, const Value& self, const Bound& args) {
  return text(
      in, self,
      replace_text(in.heap(), self.text(), string_argument(args[0]), string_argument(args[1]), args.integer(2, -1)));
}

Value remove_prefix(Interpreter& in, const Value& self, const Bound& args) {
  std::string_view s = self.text();
  if (s.starts_with(string_argument(args[0]))) s.remove_prefix(args[0].text().size());
  return text(in, self, std::string(s));
}

Value remove_suffix(Interpreter& in, const Value& self, const Bound& args) {
  std::string_view s = self.text();
  if (s.ends_with(string_argument(args[0]))) s.remove_suffix(args[0].text().size());
  return text(in, self, std::string(s));
}

Value join(Interpreter& in, const Value& self, const Bound& args) {
  std::string out;
  Cursor cursor(args[0]);
  Value item;
  for (int64_t i = 0; cursor.next(in.heap(), item); ++i) {
    if (!item.is_string()) fail("sequence item {}: expected str instance, {} found", i, type_name(item));
    if (i > 0) out += self.text();
    append_text(in.heap(), item, out);
  }
  return text(in, self, std::move(out));
}

Value zero_fill(Interpreter& in, const Value& self, const Bound& args) {
  const std::string_view s = self.text();
  const int64_t missing = args.integer(0, 0) - self.string_object().count();
  if (missing <= 0) return self;
  in.heap().require(static_cast<size_t>(missing));
  const size_t sign = !s.empty() && (s[0] == '-' || s[0] == '+') ? 1 : 0;
  return text(
      in, self,
      std::string(s.substr(0, sign)) + std::string(static_cast<size_t>(missing), '0') + std::string(s.substr(sign)));
}

template <Align kAlign>
Value justify(Interpreter& in, const Value& self, const Bound& args) {
  const std::string_view fill = args.string(1, " ");
  if (unicode::length(fill) != 1) fail("The fill character must be exactly one character long");
  return text(in, self, pad(in.heap(), self.text(), args.integer(0, 0), fill, kAlign));
}

Value expand_tabs(Interpreter& in, const Value& self, const Bound& args) {
  const int64_t size = args.integer(0, 8);
  std::string out;
  int64_t column = 0;
  for (const std::string_view c : unicode::characters(self.text())) {
    if (c != "\t") {
      out += c;
      column = c == "\n" || c == "\r" ? 0 : column + 1;
    } else if (size > 0) {
      const int64_t n = size - column % size;
      in.heap().require(out.size() + static_cast<size_t>(n));
      out.append(static_cast<size_t>(n), ' ');
      column += n;
    }
  }
  return text(in, self, std::move(out));
}

Value format(Interpreter& in, const Value& self, const Arguments& args) {
  return text(in, self, format_braces(in.heap(), self.text(), args));
}

// All characters of a class, and at least one.
template <bool (*F)(char32_t)>
Value all_are(Interpreter& in, const Value& self, const Bound&) {
  in.heap().step_bytes(self.text().size());
  const std::string_view s = self.text();
  for (size_t pos = 0; pos < s.size();) {
    if (!F(unicode::decode(s, pos))) return Value::boolean(false);
  }
  return Value::boolean(!s.empty());
}

Value is_printable(Interpreter&, const Value& self, const Bound&) {
  const std::string_view s = self.text();
  for (size_t pos = 0; pos < s.size();) {
    if (!unicode::is_printable(unicode::decode(s, pos))) return Value::boolean(false);
  }
  return Value::boolean(true);
}

Value is_ascii(Interpreter&, const Value& self, const Bound&) {
  return Value::boolean(
      std::all_of(self.text().begin(), self.text().end(), [](char c) { return static_cast<signed char>(c) >= 0; }));
}

Value is_lower(Interpreter&, const Value& self, const Bound&) { return Value::boolean(is_lower_text(self.text())); }
Value is_upper(Interpreter&, const Value& self, const Bound&) { return Value::boolean(is_upper_text(self.text())); }

Value is_title(Interpreter&, const Value& self, const Bound&) {
  const std::string_view s = self.text();
  bool any = false;
  bool inside = false;
  for (size_t pos = 0; pos < s.size();) {
    const char32_t c = unicode::decode(s, pos);
    const bool upper = unicode::is_upper(c) || unicode::is_title(c);
    const bool lower = unicode::is_lower(c);
    if ((upper && inside) || (lower && !inside)) return Value::boolean(false);
    inside = upper || lower;
    any = any || inside;
  }
  return Value::boolean(any);
}

Value is_identifier(Interpreter&, const Value& self, const Bound&) {
  const std::string_view s = self.text();
  for (size_t pos = 0; pos < s.size();) {
    const bool first = pos == 0;
    const char32_t c = unicode::decode(s, pos);
    if (!(first ? unicode::is_identifier_start(c) : unicode::is_identifier_part(c))) return Value::boolean(false);
  }
  return Value::boolean(!s.empty());
}

constexpr Method kString[] = {
    {"strip", "/chars", 0, strip<true, true>},
    {"lstrip", "/chars", 0, strip<true, false>},
    {"rstrip", "/chars", 0, strip<false, true>},
    {"split", "sep,maxsplit", 0, split<false>},
    {"rsplit", "sep,maxsplit", 0, split<true>},
    {"splitlines", "keepends", 0, splitlines},
    {"partition", "/sep", 1, partition<false>},
    {"rpartition", "/sep", 1, partition<true>},
    {"startswith", "/prefix,start,end", 1, starts_or_ends<false>},
    {"endswith", "/suffix,start,end", 1, starts_or_ends<true>},
    {"find", "/sub,start,end", 1, find<false, false>},
    {"rfind", "/sub,start,end", 1, find<true, false>},
    {"index", "/sub,start,end", 1, find<false, true>},
    {"rindex", "/sub,start,end", 1, find<true, true>},
    {"count", "/sub,start,end", 1, count},
    {"replace", "/old,new,count", 2, replace},
    {"removeprefix", "/prefix", 1, remove_prefix},
    {"removesuffix", "/suffix", 1, remove_suffix},
    {"join", "/iterable", 1, join},
    {"upper", "", 0, map_case<unicode::upper>},
    {"lower", "", 0, map_case<unicode::lower>},
    {"title", "", 0, map_case<unicode::title>},
    {"capitalize", "", 0, map_case<unicode::capitalize>},
    {"swapcase", "", 0, map_case<unicode::swapcase>},
    {"casefold", "", 0, map_case<unicode::casefold>},
    {"zfill", "/width", 1, zero_fill},
    {"ljust", "/width,fillchar", 1, justify<Align::kLeft>},
    {"rjust", "/width,fillchar", 1, justify<Align::kRight>},
    {"center", "/width,fillchar", 1, justify<Align::kCenter>},
    {"expandtabs", "tabsize", 0, expand_tabs},
    {"format", "", 0, nullptr, format},
    {"format_map", "", 0, nullptr},
    {"encode", "", 0, nullptr},
    {"translate", "", 0, nullptr},
    {"maketrans", "", 0, nullptr},
    {"isalpha", "", 0, all_are<unicode::is_alpha>},
    {"isalnum", "", 0, all_are<unicode::is_alnum>},
    {"isdigit", "", 0, all_are<unicode::is_digit>},
    {"isdecimal", "", 0, all_are<unicode::is_decimal>},
    {"isnumeric", "", 0, all_are<unicode::is_numeric>},
    {"isspace", "", 0, all_are<unicode::is_space>},
    {"isprintable", "", 0, is_printable},
    {"isascii", "", 0, is_ascii},
    {"islower", "", 0, is_lower},
    {"isupper", "", 0, is_upper},
    {"istitle", "", 0, is_title},
    {"isidentifier", "", 0, is_identifier},
};

}  // namespace

std::span<const Method> string_methods() { return kString; }

}  // namespace ingot::jinja
