// obj.name, obj[key] and obj[a:b:c], with Jinja's order of attribute and item and the sandbox's refusals.
#include <algorithm>

#include "text/jinja/builtins/methods.h"
#include "text/jinja/values/operators.h"
#include "text/jinja/values/print.h"
#include "text/jinja/values/runtime.h"
#include "text/jinja/values/unicode.h"

namespace ingot::jinja {
namespace {

Value loop_attribute(Heap& heap, const Value& object, std::string_view name) {
  auto& loop = object.as<LoopContext>();
  if (name == "index") return Value::integer(loop.index());
  if (name == "index0") return Value::integer(loop.index0());
  if (name == "first") return Value::boolean(loop.index0() == 0);
  if (name == "last") return Value::boolean(loop.last(heap));
  if (name == "length") return Value::integer(loop.length(heap));
  if (name == "revindex") return Value::integer(loop.length(heap) - loop.index0());
  if (name == "revindex0") return Value::integer(loop.length(heap) - loop.index());
  if (name == "depth") return Value::integer(loop.depth0() + 1);
  if (name == "depth0") return Value::integer(loop.depth0());
  if (name == "previtem") return loop.previous(heap);
  if (name == "nextitem") return loop.next(heap);
  return {};
}

Value macro_attribute(Heap& heap, const Value& object, std::string_view name) {
  const auto& macro = object.as<Macro>();
  if (name == "name") return macro.name;
  if (name == "arguments") return macro_arguments(heap, macro);
  if (name == "caller") return Value::boolean(macro_uses_caller(macro));
  return {};
}

// Missing if the object has no such attribute.
Value attribute_of(Heap& heap, const Value& object, const Value& name) {
  const std::string_view text = name.text();
  const auto unsafe = [&] { return Value::undefined(UndefinedBy::kUnsafe, name, object.kind()); };
  if (text.size() > 4 && text.starts_with("__") && text.ends_with("__") && !object.is(Kind::kNamespace)) {
    static constexpr std::string_view kEveryObject[] = {"__class__",       "__doc__",
                                                        "__init__",        "__new__",
                                                        "__eq__",          "__ne__",
                                                        "__lt__",          "__le__",
                                                        "__gt__",          "__ge__",
                                                        "__hash__",        "__str__",
                                                        "__repr__",        "__dir__",
                                                        "__sizeof__",      "__reduce__",
                                                        "__format__",      "__setattr__",
                                                        "__delattr__",     "__getattribute__",
                                                        "__reduce_ex__",   "__init_subclass__",
                                                        "__subclasshook__"};
    if (std::find(std::begin(kEveryObject), std::end(kEveryObject), text) != std::end(kEveryObject)) return unsafe();
  }
  switch (object.kind()) {
    case Kind::kUndefined: fail_undefined(object);
    case Kind::kNamespace: {
      const Value* v = object.as<Namespace>().find(text);
      return v == nullptr ? Value() : *v;
    }
    case Kind::kMacro: return macro_attribute(heap, object, text);
    case Kind::kLoop:
      if (Value v = loop_attribute(heap, object, text); !v.is_missing()) return v;
      break;
    case Kind::kCycler:
      if (text == "current") return object.as<Cycler>().items[object.as<Cycler>().position];
      break;
    case Kind::kTuple:
      if (object.is_group() && text == "grouper") return object.items()[0];
      if (object.is_group() && text == "list") return object.items()[1];
      break;
    default: break;
  }
  const int id = find_method(object.kind(), text);
  if (id < 0) return {};
  return method_mutates(id) ? unsafe() : heap.method(object, id);
}

// Missing if Python would raise: wrong type of key, key or index not there.
Value item_of(Heap& heap, const Value& object, const Value& key) {
  switch (object.kind()) {
    case Kind::kUndefined: fail_undefined(object);
    case Kind::kDict: {
      if (key.is_string()) {
        const Value* v = object.dict().find(key.text());
        return v == nullptr ? Value() : *v;
      }
      if (key.is(Kind::kList) || key.is(Kind::kDict)) return {};
      require_hashable(key);
      const Value* v = object.dict().find(key);
      return v == nullptr ? Value() : *v;
    }
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kRange: break;
    default: return {};
  }
  if (!key.is_integral()) return {};
  const int64_t n = length(heap, object);
  const int64_t i = key.as_int() < 0 ? key.as_int() + n : key.as_int();
  if (i < 0 || i >= n) return {};
  if (object.is(Kind::kRange)) return Value::integer(object.range().start + i * object.range().step);
  if (!object.is_string()) return object.items()[static_cast<size_t>(i)];
  const std::string_view text = object.text();
  if (object.string_object().ascii()) return heap.string(std::string(1, text[static_cast<size_t>(i)]));
  heap.step_bytes(text.size());
  const size_t start = unicode::offset_of(text, static_cast<size_t>(i));
  size_t end = start;
  unicode::decode(text, end);
  return heap.string(std::string(text.substr(start, end - start)));
}

}  // namespace

Value get_attribute(Heap& heap, const Value& object, const Value& name) {
  if (Value v = attribute_of(heap, object, name); !v.is_missing()) return v;
  if (Value v = item_of(heap, object, name); !v.is_missing()) return v;
  return Value::undefined(UndefinedBy::kAttribute, name, object.kind());
}

Value get_item(Heap& heap, const Value& object, const Value& key) {
  if (Value v = item_of(heap, object, key); !v.is_missing()) return v;
  if (!key.is_string()) return Value::undefined(UndefinedBy::kElement, key, object.kind());
  if (Value v = attribute_of(heap, object, key); !v.is_missing()) return v;
  return Value::undefined(UndefinedBy::kAttribute, key, object.kind());
}

namespace {

struct Bounds {
  int64_t start, stop, step;
  int64_t count;
};

// Clamps as Python does.
Bounds clamp(int64_t n, const Value& start, const Value& stop, const Value& step) {
  const auto given = [](const Value& v) { return !v.is_missing() && !v.is_none(); };
  for (const Value* v : {&start, &stop, &step}) {
    if (given(*v) && !v->is_integral()) {
      fail("slice indices must be integers or None, not {}", type_name(*v));
    }
  }
  Bounds b{};
  b.step = given(step) ? step.as_int() : 1;
  if (b.step == 0) fail("slice step cannot be zero");
  b.step = std::clamp<int64_t>(b.step, -INT64_MAX / 2, INT64_MAX / 2);
  const int64_t low = b.step < 0 ? -1 : 0;
  const int64_t high = b.step < 0 ? n - 1 : n;
  const auto bound = [&](const Value& v, int64_t otherwise) {
    if (!given(v)) return otherwise;
    int64_t i = v.as_int();
    if (i < 0) i = i < -n ? INT64_MIN : i + n;
    return std::clamp(i, low, high);
  };
  b.start = bound(start, b.step < 0 ? high : low);
  b.stop = bound(stop, b.step < 0 ? low : high);
  if (b.step > 0) {
    b.count = b.start < b.stop ? (b.stop - b.start - 1) / b.step + 1 : 0;
  } else {
    b.count = b.start > b.stop ? (b.start - b.stop - 1) / -b.step + 1 : 0;
  }
  return b;
}

Value slice_string(Heap& heap, const Value& object, const Bounds& b) {
  const std::string_view text = object.text();
  heap.step_bytes(text.size());
  std::string out;
  if (object.string_object().ascii()) {
    if (b.step == 1)
      return heap.string(std::string(text.substr(static_cast<size_t>(b.start), static_cast<size_t>(b.count))));
    for (int64_t i = 0; i < b.count; ++i) out += text[static_cast<size_t>(b.start + i * b.step)];
    return heap.string(std::move(out));
  }
  if (b.step == 1) {
    const size_t from = unicode::offset_of(text, static_cast<size_t>(b.start));
    const size_t size = unicode::offset_of(text.substr(from), static_cast<size_t>(b.count));
    return heap.string(std::string(text.substr(from, size)));
  }
  heap.require(text.size() * sizeof(std::string_view));
  const auto all = unicode::characters(text);
  for (int64_t i = 0; i < b.count; ++i) out += all[static_cast<size_t>(b.start + i * b.step)];
  return heap.string(std::move(out));
}

}  // namespace

Value slice(Heap& heap, const Value& object, const Value& start, const Value& stop, const Value& step) {
  if (object.is_undefined()) fail_undefined(object);
  if (object.is(Kind::kDict)) fail("unhashable type: 'slice'");
  if (!object.is_string() && !object.is_sequence() && !object.is(Kind::kRange)) {
    fail("'{}' object is not subscriptable", type_name(object));
  }
  const Bounds b = clamp(length(heap, object), start, stop, step);
  if (object.is_string()) {
    Value text = slice_string(heap, object, b);
    return object.is_markup() ? text.as_markup() : text;
  }
  if (object.is(Kind::kRange)) {
    const RangeObject& r = object.range();
    return heap.range(r.start + b.start * r.step, r.start + b.stop * r.step, r.step * b.step);
  }
  std::vector<Value> items;
  items.reserve(static_cast<size_t>(b.count));
  for (int64_t i = 0; i < b.count; ++i) items.push_back(object.items()[static_cast<size_t>(b.start + i * b.step)]);
  return heap.sequence(object.kind(), std::move(items));
}

}  // namespace ingot::jinja
