// Filters that make text of their input.
#include <algorithm>

#include "text/jinja/interpreter.h"
#include "text/jinja/values/format.h"
#include "text/jinja/values/json.h"
#include "text/jinja/values/print.h"
#include "text/jinja/values/text_ops.h"
#include "text/jinja/values/unicode.h"

namespace ingot::jinja {
namespace {

template <std::string (*F)(std::string_view)>
Value map_case(Interpreter& in, const Value& v, const Bound&) {
  const std::string text = to_text(in.heap(), v);
  in.heap().require(text.size() * 3);
  Value result = in.heap().string(F(text));
  return v.is_markup() ? result.as_markup() : result;
}

// The first letter of each word is raised, where words start after a space or an opening bracket.
Value title(Interpreter& in, const Value& v, const Bound&) {
  const std::string text = to_text(in.heap(), v);
  in.heap().require(text.size() * 3);
  const auto separates = [](char32_t c) {
    return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || unicode::is_space(c);
  };
  std::string out;
  for (size_t pos = 0; pos < text.size();) {
    const size_t start = pos;
    const char32_t c = unicode::decode(text, pos);
    const std::string_view first = std::string_view(text).substr(start, pos - start);
    if (separates(c)) {
      out += first;
      continue;
    }
    const size_t rest = pos;
    while (pos < text.size()) {
      size_t next = pos;
      if (separates(unicode::decode(text, next))) break;
      pos = next;
    }
    out += unicode::upper(first);
    out += unicode::lower(std::string_view(text).substr(rest, pos - rest));
  }
  return in.heap().string(std::move(out));
}

Value center(Interpreter& in, const Value& v, const Bound& args) {
  return in.heap().string(pad(in.heap(), to_text(in.heap(), v), args.integer(0, 80), " ", Align::kCenter));
}

Value escape(Interpreter& in, const Value& v, const Bound&) {
  if (v.is_markup()) return v;
  const std::string text = to_text(in.heap(), v);
  in.heap().require(text.size() * 6);
  return in.heap().string(escape_html(text)).as_markup();
}

Value force_escape(Interpreter& in, const Value& v, const Bound&) {
  const std::string text = to_text(in.heap(), v);
  in.heap().require(text.size() * 6);
  return in.heap().string(escape_html(text)).as_markup();
}

Value safe(Interpreter& in, const Value& v, const Bound&) {
  return v.is_string() ? v.as_markup() : in.heap().string(to_text(in.heap(), v)).as_markup();
}

Value string(Interpreter& in, const Value& v, const Bound&) {
  return v.is_string() ? v : in.heap().string(to_text(in.heap(), v));
}

Value format(Interpreter& in, const Value& v, const Arguments& args) {
  if (!args.positional.empty() && !args.named.empty()) {
    fail("can't handle positional and keyword arguments at the same time");
  }
  Heap& heap = in.heap();
  const Value values = args.named.empty() ? heap.tuple(args.positional) : heap.dict(args.named);
  return heap.string(format_percent(heap, to_text(heap, v), values));
}

Value indent(Interpreter& in, const Value& v, const Bound& args) {
  Heap& heap = in.heap();
  if (v.is_undefined()) fail_undefined(v);
  if (!v.is_string()) fail("indent: '{}' is no string", type_name(v));
  std::string indention;
  if (args.has(0) && args[0].is_string()) {
    indention = args[0].text();
  } else {
    const int64_t width = std::max<int64_t>(0, args.integer(0, 4));
    heap.require(static_cast<size_t>(width));
    indention.assign(static_cast<size_t>(width), ' ');
  }
  const bool first = args.truth(heap, 1, false);
  const bool blank = args.truth(heap, 2, false);
  const std::string text = std::string(v.text()) + "\n";
  const auto lines = unicode::split_lines(text, false);
  std::string out = first ? indention : "";
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += '\n';
    if (i > 0 && (blank || !lines[i].empty())) out += indention;
    heap.require(out.size() + lines[i].size());
    out += lines[i];
  }
  return heap.string(std::move(out));
}

Value replace(Interpreter& in, const Value& v, const Bound& args) {
  Heap& heap = in.heap();
  const int64_t most = args.integer_or_none(2, -1);
  return heap.string(replace_text(heap, to_text(heap, v), to_text(heap, args[0]), to_text(heap, args[1]), most));
}

Value trim(Interpreter& in, const Value& v, const Bound& args) {
  Heap& heap = in.heap();
  const std::string text = to_text(heap, v);
  heap.step_bytes(text.size());
  Value out;
  if (!args.has(0) || args[0].is_none()) {
    out = heap.string(std::string(unicode::strip(text, true, true)));
  } else {
    const std::string_view chars = args.string(0, "");
    heap.step(1 + text.size() / 32 * (1 + chars.size()));
    out = heap.string(std::string(unicode::strip(text, chars, true, true)));
  }
  return v.is_markup() ? out.as_markup() : out;
}

Value truncate(Interpreter& in, const Value& v, const Bound& args) {
  Heap& heap = in.heap();
  const int64_t most = args.integer(0, 255);
  const std::string_view end = args.string(2, "...");
  const int64_t leeway = args.integer_or_none(3, 5);
  const auto end_size = static_cast<int64_t>(unicode::length(end));
  if (most < end_size) fail("expected length >= {}, got {}", end_size, most);
  if (leeway < 0) fail("expected leeway >= 0, got {}", leeway);
  if (length(heap, v) - leeway <= most) return v;
  if (!v.is_string()) fail("truncate: '{}' is no string", type_name(v));
  std::string_view head = v.text().substr(0, unicode::offset_of(v.text(), static_cast<size_t>(most - end_size)));
  if (!args.truth(heap, 1, false)) head = head.substr(0, head.rfind(' '));
  return heap.string(std::string(head) + std::string(end));
}

std::string quote(std::string_view text, bool for_query) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                       c == '.' || c == '-' || c == '~' || (c == '/' && !for_query);
    if (plain) {
      out += c;
    } else if (c == ' ' && for_query) {
      out += '+';
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Value urlencode(Interpreter& in, const Value& v, const Bound&) {
  Heap& heap = in.heap();
  if (v.is_string() || !is_iterable(v)) return heap.string(quote(to_text(heap, v), false));
  std::string out;
  const Value pairs = v.is(Kind::kDict) ? heap.view(v, ViewOf::kItems) : v;
  for (const Value& pair : to_vector(heap, pairs)) {
    const std::vector<Value> two = to_vector(heap, pair);
    if (two.size() != 2) fail("urlencode: expected pairs");
    if (!out.empty()) out += '&';
    out += quote(to_text(heap, two[0]), true) + "=" + quote(to_text(heap, two[1]), true);
    heap.require(out.size());
  }
  return heap.string(std::move(out));
}

Value wordcount(Interpreter& in, const Value& v, const Bound&) {
  const std::string text = to_text(in.heap(), v);
  int64_t words = 0;
  bool inside = false;
  for (size_t pos = 0; pos < text.size();) {
    const char32_t c = unicode::decode(text, pos);
    const bool word = c == '_' || unicode::is_alnum(c);
    words += word && !inside ? 1 : 0;
    inside = word;
  }
  return Value::integer(words);
}

Value tojson(Interpreter& in, const Value& v, const Bound& args) {
  Heap& heap = in.heap();
  JsonStyle style;
  style.ensure_ascii = args.truth(heap, 0, false);
  if (args.has(1) && !args[1].is_none()) {
    if (args[1].is_string()) {
      style.indent = args[1].text();
    } else {
      const int64_t width = std::max<int64_t>(0, args.integer(1, 0));
      heap.require(static_cast<size_t>(width));
      style.indent = std::string(static_cast<size_t>(width), ' ');
    }
    style.item_separator = ",";
  }
  if (args.has(2) && !args[2].is_none()) {
    const std::vector<Value> two = to_vector(heap, args[2]);
    if (two.size() != 2 || !two[0].is_string() || !two[1].is_string()) fail("tojson: separators must be two strings");
    style.item_separator = two[0].text();
    style.key_separator = two[1].text();
  }
  style.sort_keys = args.truth(heap, 3, false);
  return heap.string(to_json(heap, v, style));
}

template <int kWhich>
Value unsupported(Interpreter&, const Value&, const Arguments&) {
  static constexpr std::string_view kNames[] = {"pprint", "random", "striptags", "urlize", "wordwrap", "xmlattr"};
  raise(Code::kUnimplemented, fmt::format("the filter '{}' is not supported in chat templates", kNames[kWhich]));
}

constexpr Filter kFilters[] = {
    {"capitalize", "", 0, map_case<unicode::capitalize>},
    {"center", "width", 0, center},
    {"e", "/", 0, escape},
    {"escape", "/", 0, escape},
    {"forceescape", "", 0, force_escape},
    {"format", "", 0, nullptr, format},
    {"indent", "width,first,blank", 0, indent},
    {"lower", "", 0, map_case<unicode::lower>},
    {"replace", "old,new,count", 2, replace},
    {"safe", "", 0, safe},
    {"string", "", 0, string},
    {"title", "", 0, title},
    {"tojson", "ensure_ascii,indent,separators,sort_keys", 0, tojson},
    {"trim", "chars", 0, trim},
    {"truncate", "length,killwords,end,leeway", 0, truncate},
    {"upper", "", 0, map_case<unicode::upper>},
    {"urlencode", "", 0, urlencode},
    {"wordcount", "", 0, wordcount},
    {"pprint", "", 0, nullptr, unsupported<0>},
    {"random", "", 0, nullptr, unsupported<1>},
    {"striptags", "", 0, nullptr, unsupported<2>},
    {"urlize", "", 0, nullptr, unsupported<3>},
    {"wordwrap", "", 0, nullptr, unsupported<4>},
    {"xmlattr", "", 0, nullptr, unsupported<5>},
};

}  // namespace

std::span<const Filter> text_filters() { return kFilters; }

}  // namespace ingot::jinja
