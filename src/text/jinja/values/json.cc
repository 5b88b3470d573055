#include "text/jinja/values/json.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "text/jinja/values/operators.h"
#include "text/jinja/values/print.h"
#include "text/jinja/values/stable_order.h"
#include "text/jinja/values/unicode.h"

namespace ingot::jinja {
namespace {

class Writer {
 public:
  Writer(Heap& heap, const JsonStyle& style) : heap_(heap), style_(style) {}

  void value(const Value& v);
  std::string take() { return std::move(out_); }

 private:
  void string(std::string_view s);
  void number(double d);
  void list(const std::vector<Value>& items);
  void dict(const DictObject& dict);
  std::string key_text(const Value& key);
  void line_break() {
    if (!style_.indent) return;
    heap_.require(out_.size() + style_.indent->size() * static_cast<size_t>(level_));
    out_ += '\n';
    for (int i = 0; i < level_; ++i) out_ += *style_.indent;
  }

  Heap& heap_;
  const JsonStyle& style_;
  std::string out_;
  int level_ = 0;
};

void Writer::string(std::string_view s) {
  heap_.step_bytes(s.size());
  heap_.require(out_.size() + 6 * s.size());
  out_ += '"';
  for (size_t pos = 0; pos < s.size();) {
    const size_t start = pos;
    const char32_t c = unicode::decode(s, pos);
    switch (c) {
      case '"': out_ += "\\\""; break;
      case '\\': out_ += "\\\\"; break;
      case '\n': out_ += "\\n"; break;
      case '\r': out_ += "\\r"; break;
      case '\t': out_ += "\\t"; break;
      case '\f': out_ += "\\f"; break;
      case '\b': out_ += "\\b"; break;
      default:
        if (c < 0x20 || (style_.ensure_ascii && c >= 0x7F && c < 0x10000 && c != 0x7F)) {
          out_ += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
        } else if (style_.ensure_ascii && c >= 0x10000) {
          const auto v = static_cast<uint32_t>(c) - 0x10000;
          out_ += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (v >> 10), 0xDC00 + (v & 0x3FF));
        } else {
          out_ += s.substr(start, pos - start);
        }
    }
  }
  out_ += '"';
}

void Writer::number(double d) {
  if (std::isnan(d)) {
    out_ += "NaN";
  } else if (std::isinf(d)) {
    out_ += d < 0 ? "-Infinity" : "Infinity";
  } else {
    out_ += repr_of_double(d);
  }
}

void Writer::value(const Value& v) {
  const Depth depth(heap_);
  heap_.step();
  switch (v.kind()) {
    case Kind::kNone: out_ += "null"; return;
    case Kind::kBool: out_ += v.as_bool() ? "true" : "false"; return;
    case Kind::kInt: out_ += std::to_string(v.as_int()); return;
    case Kind::kFloat: number(v.as_double()); return;
    case Kind::kString: string(v.text()); return;
    case Kind::kList:
    case Kind::kTuple: list(v.items()); return;
    case Kind::kDict: dict(v.dict()); return;
    default: fail("Object of type {} is not JSON serializable", type_name(v));
  }
}

void Writer::list(const std::vector<Value>& items) {
  if (items.empty()) {
    out_ += "[]";
    return;
  }
  out_ += '[';
  ++level_;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out_ += style_.item_separator;
    line_break();
    value(items[i]);
  }
  --level_;
  line_break();
  out_ += ']';
}

std::string Writer::key_text(const Value& key) {
  switch (key.kind()) {
    case Kind::kString: return std::string(key.text());
    case Kind::kNone: return "null";
    case Kind::kBool: return key.as_bool() ? "true" : "false";
    case Kind::kInt: return std::to_string(key.as_int());
    case Kind::kFloat: {
      const double d = key.as_double();
      return std::isnan(d) ? "NaN" : std::isinf(d) ? (d < 0 ? "-Infinity" : "Infinity") : repr_of_double(d);
    }
    default: fail("keys must be str, int, float, bool or None, not {}", type_name(key));
  }
}

void Writer::dict(const DictObject& dict) {
  if (dict.entries.empty()) {
    out_ += "{}";
    return;
  }
  std::vector<const std::pair<Value, Value>*> order;
  for (const auto& entry : dict.entries) order.push_back(&entry);
  if (style_.sort_keys) {
    stable_order(order, [this](const auto* a, const auto* b) { return less(heap_, a->first, b->first); });
  }
  out_ += '{';
  ++level_;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0) out_ += style_.item_separator;
    line_break();
    string(key_text(order[i]->first));
    out_ += style_.key_separator;
    value(order[i]->second);
  }
  --level_;
  line_break();
  out_ += '}';
}

}  // namespace

std::string to_json(Heap& heap, const Value& value, const JsonStyle& style) {
  Writer writer(heap, style);
  writer.value(value);
  return writer.take();
}

Value from_json(Heap& heap, const boost::json::value& json) {
  const Depth depth(heap);
  switch (json.kind()) {
    case boost::json::kind::null: return Value::none();
    case boost::json::kind::bool_: return Value::boolean(json.get_bool());
    case boost::json::kind::int64: return Value::integer(json.get_int64());
    case boost::json::kind::uint64: {
      const uint64_t v = json.get_uint64();
      return v <= INT64_MAX ? Value::integer(static_cast<int64_t>(v)) : Value::real(static_cast<double>(v));
    }
    case boost::json::kind::double_: return Value::real(json.get_double());
    case boost::json::kind::string: return heap.string(std::string(json.get_string()));
    case boost::json::kind::array: {
      std::vector<Value> items;
      items.reserve(json.get_array().size());
      for (const auto& item : json.get_array()) items.push_back(from_json(heap, item));
      return heap.list(std::move(items));
    }
    case boost::json::kind::object: break;
  }
  std::vector<std::pair<Value, Value>> entries;
  entries.reserve(json.get_object().size());
  for (const auto& [key, value] : json.get_object()) {
    entries.emplace_back(heap.string(std::string(key)), from_json(heap, value));
  }
  return heap.dict(entries);
}

}  // namespace ingot::jinja
