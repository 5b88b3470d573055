#include "text/jinja/values/print.h"

#include <charconv>
#include <cmath>

#include "text/jinja/builtins/methods.h"
#include "text/jinja/values/runtime.h"
#include "text/jinja/values/unicode.h"

namespace ingot::jinja {
namespace {

std::string_view type_name_of(Kind kind) {
  switch (kind) {
    case Kind::kMissing:
    case Kind::kUndefined: return "Undefined";
    case Kind::kNone: return "NoneType";
    case Kind::kBool: return "bool";
    case Kind::kInt: return "int";
    case Kind::kFloat: return "float";
    case Kind::kString: return "str";
    case Kind::kList: return "list";
    case Kind::kTuple: return "tuple";
    case Kind::kDict: return "dict";
    case Kind::kView: return "dict_view";
    case Kind::kRange: return "range";
    case Kind::kIterator: return "generator";
    case Kind::kMethod: return "builtin_function_or_method";
    case Kind::kFunction: return "function";
    case Kind::kNamespace: return "Namespace";
    case Kind::kMacro: return "Macro";
    case Kind::kLoop: return "LoopContext";
    case Kind::kCycler: return "Cycler";
    case Kind::kJoiner: return "Joiner";
  }
  return "object";
}

void append_sequence(Heap& heap, const std::vector<Value>& items, char open, char close, std::string& out) {
  out += open;
  bool first = true;
  for (const Value& item : items) {
    if (!first) out += ", ";
    first = false;
    append_repr(heap, item, out);
  }
  if (open == '(' && items.size() == 1) out += ',';
  out += close;
}

void append_entries(Heap& heap, const std::vector<std::pair<Value, Value>>& entries, std::string& out) {
  out += '{';
  bool first = true;
  for (const auto& [key, value] : entries) {
    if (!first) out += ", ";
    first = false;
    append_repr(heap, key, out);
    out += ": ";
    append_repr(heap, value, out);
  }
  out += '}';
}

void append_view(Heap& heap, const ViewObject& view, std::string& out) {
  static constexpr std::string_view kNames[] = {"dict_keys([", "dict_values([", "dict_items(["};
  out += kNames[static_cast<int>(view.of)];
  bool first = true;
  for (const auto& [key, value] : view.owner.dict().entries) {
    if (!first) out += ", ";
    first = false;
    if (view.of == ViewOf::kItems) out += '(';
    if (view.of != ViewOf::kValues) append_repr(heap, key, out);
    if (view.of == ViewOf::kItems) out += ", ";
    if (view.of != ViewOf::kKeys) append_repr(heap, value, out);
    if (view.of == ViewOf::kItems) out += ')';
  }
  out += "])";
}

void append_range(const RangeObject& range, std::string& out) {
  out += fmt::format("range({}, {}", range.start, range.stop);
  if (range.step != 1) out += fmt::format(", {}", range.step);
  out += ')';
}

}  // namespace

std::string_view type_name(const Value& value) { return type_name_of(value.kind()); }

std::string repr_of_double(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64] = {};
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer) - 1, value, std::chars_format::scientific).ptr;
  const std::string_view shortest(buffer, static_cast<size_t>(end - buffer));
  const size_t e = shortest.find('e');
  std::string digits;
  for (char c : shortest.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  const int exponent = std::atoi(shortest.data() + e + 1);
  const std::string sign = std::signbit(value) ? "-" : "";
  const int n = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    const std::string fraction = n > 1 ? "." + digits.substr(1) : "";
    return fmt::format("{}{}{}e{}{:02}", sign, digits[0], fraction, exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  if (n <= exponent + 1) return sign + digits + std::string(static_cast<size_t>(exponent + 1 - n), '0') + ".0";
  return sign + digits.substr(0, static_cast<size_t>(exponent) + 1) + "." +
         digits.substr(static_cast<size_t>(exponent) + 1);
}

std::string repr_of_string(std::string_view text, bool ascii_only) {
  const bool single = text.find('\'') == std::string_view::npos || text.find('"') != std::string_view::npos;
  const char quote = single ? '\'' : '"';
  std::string out(1, quote);
  for (size_t pos = 0; pos < text.size();) {
    const size_t start = pos;
    const char32_t c = unicode::decode(text, pos);
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (unicode::is_printable(c) && (c < 0x80 || !ascii_only)) {
      out += text.substr(start, pos - start);
    } else if (c < 0x100) {
      out += fmt::format("\\x{:02x}", static_cast<uint32_t>(c));
    } else if (c < 0x10000) {
      out += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
    } else {
      out += fmt::format("\\U{:08x}", static_cast<uint32_t>(c));
    }
  }
  out += quote;
  return out;
}

void append_repr(Heap& heap, const Value& value, std::string& out) {
  Depth depth(heap);
  heap.step();
  heap.require(out.size());
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined: out += "Undefined"; return;
    case Kind::kNone: out += "None"; return;
    case Kind::kBool: out += value.as_bool() ? "True" : "False"; return;
    case Kind::kInt: out += std::to_string(value.as_int()); return;
    case Kind::kFloat: out += repr_of_double(value.as_double()); return;
    case Kind::kString:
      heap.step_bytes(value.text().size());
      if (value.is_markup()) out += "Markup(";
      out += repr_of_string(value.text());
      if (value.is_markup()) out += ')';
      return;
    case Kind::kList: append_sequence(heap, value.items(), '[', ']', out); return;
    case Kind::kTuple: append_sequence(heap, value.items(), '(', ')', out); return;
    case Kind::kDict: append_entries(heap, value.dict().entries, out); return;
    case Kind::kView: append_view(heap, value.view(), out); return;
    case Kind::kRange: append_range(value.range(), out); return;
    case Kind::kNamespace:
      out += "<Namespace ";
      append_entries(heap, value.as<Namespace>().entries, out);
      out += '>';
      return;
    case Kind::kLoop: {
      auto& loop = value.as<LoopContext>();
      out += fmt::format("<LoopContext {}/{}>", loop.index(), loop.length(heap));
      return;
    }
    case Kind::kMacro: {
      const Value& name = value.as<Macro>().name;
      out += name.is_string() ? "<Macro " + repr_of_string(name.text()) + ">" : "<Macro anonymous>";
      return;
    }
    case Kind::kMethod:
      out += fmt::format("<built-in method {} of {} object>", method_name(value.method().id),
                         type_name(value.method().self));
      return;
    default: out += fmt::format("<{} object>", type_name(value)); return;
  }
}

std::string repr(Heap& heap, const Value& value) {
  std::string out;
  append_repr(heap, value, out);
  return out;
}

void append_text(Heap& heap, const Value& value, std::string& out) {
  if (value.is_string()) {
    heap.step_bytes(value.text().size());
    heap.require(out.size() + value.text().size());
    out += value.text();
  } else if (!value.is_undefined() && !value.is_missing()) {
    append_repr(heap, value, out);
  }
}

std::string to_text(Heap& heap, const Value& value) {
  std::string out;
  append_text(heap, value, out);
  return out;
}

std::string undefined_message(const Value& undefined) {
  const Value name = undefined.undefined_name();
  const std::string_view text = name.is_string() ? name.text() : std::string_view();
  const Kind owner = undefined.undefined_owner();
  const std::string who = owner == Kind::kNone        ? "None"
                          : owner == Kind::kUndefined ? "jinja2.runtime.Undefined object"
                          : owner == Kind::kNamespace ? "Namespace object"
                                                      : std::string(type_name_of(owner)) + " object";
  switch (undefined.undefined_by()) {
    case UndefinedBy::kName: return fmt::format("{} is undefined", repr_of_string(text));
    case UndefinedBy::kHint: return std::string(text);
    case UndefinedBy::kAttribute: return fmt::format("'{}' has no attribute {}", who, repr_of_string(text));
    case UndefinedBy::kElement: return fmt::format("{} has no such element", who);
    case UndefinedBy::kUnsafe:
      return fmt::format("access to attribute {} of '{}' object is unsafe", repr_of_string(text), type_name_of(owner));
  }
  return "undefined";
}

void fail_undefined(const Value& undefined) { fail("{}", undefined_message(undefined)); }

}  // namespace ingot::jinja
