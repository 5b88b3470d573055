#include "text/jinja/values/operators.h"

#include <bit>
#include <cmath>

#include "text/jinja/values/print.h"
#include "text/jinja/values/runtime.h"
#include "text/jinja/values/unicode.h"

namespace ingot::jinja {

bool truth(Heap& heap, const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone: return false;
    case Kind::kBool:
    case Kind::kInt: return value.as_int() != 0;
    case Kind::kFloat: return value.as_double() != 0;
    case Kind::kString: return !value.text().empty();
    case Kind::kList:
    case Kind::kTuple: return !value.items().empty();
    case Kind::kDict: return !value.dict().entries.empty();
    case Kind::kView: return !value.view().owner.dict().entries.empty();
    case Kind::kRange: return value.range().size() != 0;
    case Kind::kLoop: return value.as<LoopContext>().length(heap) != 0;
    default: return true;
  }
}

namespace {

bool equal_numbers(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return a.as_int() == b.as_int();
  return a.as_double() == b.as_double();
}

bool equal_items(const ListObject& a, const ListObject& b) {
  if (a.items.size() != b.items.size()) return false;
  Depth depth(*a.heap);
  for (size_t i = 0; i < a.items.size(); ++i) {
    a.heap->step();
    if (!a.items[i].same_object(b.items[i]) && !equal(a.items[i], b.items[i])) return false;
  }
  return true;
}

bool equal_dicts(const DictObject& a, const DictObject& b) {
  if (a.entries.size() != b.entries.size()) return false;
  Depth depth(*a.heap);
  for (const auto& [key, value] : a.entries) {
    a.heap->step();
    const Value* other = b.find(key);
    if (other == nullptr || !equal(value, *other)) return false;
  }
  return true;
}

bool equal_ranges(const RangeObject& a, const RangeObject& b) {
  const int64_t n = a.size();
  if (n != b.size()) return false;
  return n == 0 || (a.start == b.start && (n == 1 || a.step == b.step));
}

}  // namespace

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return equal_numbers(a, b);
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone: return true;
    case Kind::kString: return a.text() == b.text();
    case Kind::kList:
    case Kind::kTuple: return a.same_object(b) || equal_items(a.as<ListObject>(), b.as<ListObject>());
    case Kind::kDict: return a.same_object(b) || equal_dicts(a.dict(), b.dict());
    case Kind::kRange: return equal_ranges(a.range(), b.range());
    case Kind::kMethod: return a.method().id == b.method().id && a.method().self.same_object(b.method().self);
    default: return a.same_object(b);
  }
}

size_t hash(std::string_view text) { return std::hash<std::string_view>()(text); }

void require_hashable(const Value& value) {
  if (value.is(Kind::kList) || value.is(Kind::kDict)) fail("unhashable type: '{}'", type_name(value));
  if (!value.is(Kind::kTuple)) return;
  Heap& heap = *value.as<ListObject>().heap;
  Depth depth(heap);
  for (const Value& item : value.items()) {
    heap.step();
    require_hashable(item);
  }
}

size_t hash(const Value& value) {
  switch (value.kind()) {
    case Kind::kBool:
    case Kind::kInt: return std::hash<int64_t>()(value.as_int()) * 0x9E3779B97F4A7C15u;
    case Kind::kFloat: {
      const double d = value.as_double();
      if (d == std::floor(d) && std::abs(d) < 9e18) return hash(Value::integer(static_cast<int64_t>(d)));
      return std::hash<double>()(d);
    }
    case Kind::kString: return hash(value.text());
    case Kind::kTuple: {
      size_t h = 17;
      for (const Value& item : value.items()) h = h * 31 + hash(item);
      return h;
    }
    default: return static_cast<size_t>(value.kind());
  }
}

bool less(Heap& heap, const Value& a, const Value& b) {
  heap.step();
  if (a.is_undefined()) fail_undefined(a);
  if (b.is_undefined()) fail_undefined(b);
  if (a.is_number() && b.is_number()) {
    if (a.is_integral() && b.is_integral()) return a.as_int() < b.as_int();
    return a.as_double() < b.as_double();
  }
  if (a.is_string() && b.is_string()) return a.text() < b.text();  // UTF-8 keeps the order of code points
  if (a.is_sequence() && a.kind() == b.kind()) {
    Depth depth(heap);
    const auto& x = a.items();
    const auto& y = b.items();
    for (size_t i = 0; i < x.size() && i < y.size(); ++i) {
      if (!equal(x[i], y[i])) return less(heap, x[i], y[i]);
    }
    return x.size() < y.size();
  }
  fail("'<' not supported between instances of '{}' and '{}'", type_name(a), type_name(b));
}

bool less_equal(Heap& heap, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    return a.is_integral() && b.is_integral() ? a.as_int() <= b.as_int() : a.as_double() <= b.as_double();
  }
  return less(heap, a, b) || equal(a, b);
}

namespace {

bool view_contains(Heap& heap, const ViewObject& view, const Value& item) {
  const DictObject& dict = view.owner.dict();
  if (view.of == ViewOf::kKeys) {
    require_hashable(item);
    return dict.find(item) != nullptr;
  }
  if (view.of == ViewOf::kItems) {
    if (!item.is(Kind::kTuple) || item.items().size() != 2) return false;
    require_hashable(item.items()[0]);
    const Value* value = dict.find(item.items()[0]);
    return value != nullptr && equal(*value, item.items()[1]);
  }
  for (const auto& entry : dict.entries) {
    heap.step();
    if (equal(entry.second, item)) return true;
  }
  return false;
}

}  // namespace

bool contains(Heap& heap, const Value& container, const Value& item) {
  switch (container.kind()) {
    case Kind::kString:
      if (!item.is_string()) fail("'in <string>' requires string as left operand, not {}", type_name(item));
      heap.step_bytes(container.text().size());
      return container.text().find(item.text()) != std::string_view::npos;
    case Kind::kDict: require_hashable(item); return container.dict().find(item) != nullptr;
    case Kind::kView: return view_contains(heap, container.view(), item);
    case Kind::kRange: {
      if (!item.is_number()) return false;
      const auto& r = container.range();
      const double d = item.as_double();
      if (d != std::floor(d) || std::abs(d) > 9e15) return false;
      const auto v = item.is_integral() ? item.as_int() : static_cast<int64_t>(d);
      const bool inside = r.step > 0 ? v >= r.start && v < r.stop : v <= r.start && v > r.stop;
      return inside && (v - r.start) % r.step == 0;
    }
    default: break;
  }
  if (!is_iterable(container)) fail("argument of type '{}' is not iterable", type_name(container));
  Cursor cursor(container);
  Value candidate;
  while (cursor.next(heap, candidate)) {
    if (candidate.same_object(item) || equal(candidate, item)) return true;
  }
  return false;
}

std::optional<int64_t> try_length(Heap& heap, const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined: return 0;
    case Kind::kString: return value.string_object().count();
    case Kind::kList:
    case Kind::kTuple: return static_cast<int64_t>(value.items().size());
    case Kind::kDict: return static_cast<int64_t>(value.dict().entries.size());
    case Kind::kView: return static_cast<int64_t>(value.view().owner.dict().entries.size());
    case Kind::kRange: return value.range().size();
    case Kind::kLoop: return value.as<LoopContext>().length(heap);
    default: return std::nullopt;
  }
}

int64_t length(Heap& heap, const Value& value) {
  const auto n = try_length(heap, value);
  if (!n) fail("object of type '{}' has no len()", type_name(value));
  return *n;
}

bool is_iterable(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kView:
    case Kind::kRange:
    case Kind::kIterator:
    case Kind::kLoop: return true;
    default: return false;
  }
}

Cursor::Cursor(const Value& value) : value_(value) {
  if (!is_iterable(value)) fail("'{}' object is not iterable", type_name(value));
}

bool Cursor::next(Heap& heap, Value& item) {
  heap.step();
  switch (value_.kind()) {
    case Kind::kString: {
      const std::string_view s = value_.text();
      if (at_ >= s.size()) return false;
      const size_t start = at_;
      unicode::decode(s, at_);
      item = heap.string(std::string(s.substr(start, at_ - start)));
      return true;
    }
    case Kind::kList:
    case Kind::kTuple:
      if (at_ >= value_.items().size()) return false;
      item = value_.items()[at_++];
      return true;
    case Kind::kDict:
      if (at_ >= value_.dict().entries.size()) return false;
      item = value_.dict().entries[at_++].first;
      return true;
    case Kind::kView: {
      const auto& entries = value_.view().owner.dict().entries;
      if (at_ >= entries.size()) return false;
      const auto& [key, value] = entries[at_++];
      const ViewOf of = value_.view().of;
      item = of == ViewOf::kKeys ? key : of == ViewOf::kValues ? value : heap.tuple({key, value});
      return true;
    }
    case Kind::kRange: {
      const auto& r = value_.range();
      if (static_cast<int64_t>(at_) >= r.size()) return false;
      item = Value::integer(r.start + static_cast<int64_t>(at_++) * r.step);
      return true;
    }
    case Kind::kIterator: return value_.iterator().next(item);
    case Kind::kLoop: {
      Value next;
      if (!value_.as<LoopContext>().advance(heap, next)) return false;
      item = heap.tuple({next, value_});
      return true;
    }
    default: return false;
  }
}

std::vector<Value> to_vector(Heap& heap, const Value& value) {
  if (value.is_sequence()) return value.items();
  std::vector<Value> items;
  Cursor cursor(value);
  Value item;
  while (cursor.next(heap, item)) {
    heap.require(items.size() * sizeof(Value));
    items.push_back(item);
  }
  return items;
}

}  // namespace ingot::jinja
