// Filters over sequences that give a sequence, one of its items or a number.
#include <algorithm>
#include <memory>

#include "text/jinja/builtins/attribute_path.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/values/print.h"
#include "text/jinja/values/stable_order.h"
#include "text/jinja/values/unicode.h"

namespace ingot::jinja {

AttributePath::AttributePath(Heap& heap, const Value& attribute, Value otherwise) : otherwise_(std::move(otherwise)) {
  if (attribute.is_missing() || attribute.is_none()) return;
  if (!attribute.is_string()) {
    parts_.push_back(attribute);
    return;
  }
  std::string_view rest = attribute.text();
  while (true) {
    const size_t dot = std::min(rest.find('.'), rest.size());
    const std::string_view part = rest.substr(0, dot);
    const bool number =
        !part.empty() && part.size() < 18 && part.find_first_not_of("0123456789") == std::string_view::npos;
    int64_t index = 0;
    if (number && parse_int(part, 10, index)) {
      parts_.push_back(Value::integer(index));
    } else {
      parts_.push_back(heap.string(std::string(part)));
    }
    if (dot == rest.size()) return;
    rest.remove_prefix(dot + 1);
  }
}

Value AttributePath::of(Heap& heap, const Value& item) const {
  Value value = item;
  for (const Value& part : parts_) {
    value = get_item(heap, value, part);
    if (value.is_undefined() && !otherwise_.is_missing() && !otherwise_.is_none()) value = otherwise_;
  }
  return value;
}

Value fold_case(Heap& heap, const Value& value, bool case_sensitive) {
  if (case_sensitive || !value.is_string()) return value;
  return heap.string(unicode::lower(value.text()));
}

namespace {

Value nothing(Heap& heap, std::string_view what) {
  return Value::undefined(UndefinedBy::kHint, heap.string(fmt::format("No {} item, sequence was empty.", what)));
}

Value first(Interpreter& in, const Value& v, const Bound&) {
  Cursor cursor(v);
  Value item;
  return cursor.next(in.heap(), item) ? item : nothing(in.heap(), "first");
}

bool is_reversible(const Value& v) { return is_iterable(v) && v.kind() != Kind::kIterator && v.kind() != Kind::kLoop; }

Value last(Interpreter& in, const Value& v, const Bound&) {
  if (!is_reversible(v)) fail("'{}' object is not reversible", type_name(v));
  const int64_t n = length(in.heap(), v);
  if (n == 0) return nothing(in.heap(), "last");
  if (v.is_string() || v.is_sequence() || v.is(Kind::kRange)) return get_item(in.heap(), v, Value::integer(n - 1));
  return to_vector(in.heap(), v).back();
}

Value length_of(Interpreter& in, const Value& v, const Bound&) { return Value::integer(length(in.heap(), v)); }
Value list(Interpreter& in, const Value& v, const Bound&) { return in.heap().list(to_vector(in.heap(), v)); }

// An iterator over items that are already there.
Value iterate(Heap& heap, std::vector<Value> items) {
  const Value all = heap.list(std::move(items));
  return heap.iterator([all, at = size_t{0}](Value& item) mutable {
    if (at >= all.items().size()) return false;
    item = all.items()[at++];
    return true;
  });
}

Value reverse(Interpreter& in, const Value& v, const Bound&) {
  Heap& heap = in.heap();
  if (v.is_string()) {
    return slice(heap, v, Value(), Value(), Value::integer(-1));
  }
  if (!is_iterable(v)) fail("argument must be iterable");
  std::vector<Value> items = to_vector(heap, v);
  std::reverse(items.begin(), items.end());
  return is_reversible(v) ? iterate(heap, std::move(items)) : heap.list(std::move(items));
}

struct Keyed {
  std::vector<Value> keys;
  Value item;
};

bool less_keys(Heap& heap, const Keyed& a, const Keyed& b) {
  for (size_t i = 0; i < a.keys.size(); ++i) {
    if (!equal(a.keys[i], b.keys[i])) return less(heap, a.keys[i], b.keys[i]);
  }
  return false;
}

std::vector<Value> sort_keyed(Heap& heap, std::vector<Keyed> rows, bool reverse) {
  heap.require(rows.size() * (sizeof(Keyed) + sizeof(Value)));
  stable_order(rows,
               [&](const Keyed& a, const Keyed& b) { return reverse ? less_keys(heap, b, a) : less_keys(heap, a, b); });
  std::vector<Value> items;
  items.reserve(rows.size());
  for (Keyed& row : rows) items.push_back(std::move(row.item));
  return items;
}

Value sort(Interpreter& in, const Value& v, const Bound& args) {
  Heap& heap = in.heap();
  const bool case_sensitive = args.truth(heap, 1, false);
  std::vector<AttributePath> paths;
  if (args.has(2) && args[2].is_string()) {
    std::string_view rest = args[2].text();
    while (true) {
      const size_t comma = std::min(rest.find(','), rest.size());
      paths.emplace_back(heap, heap.string(std::string(rest.substr(0, comma))));
      if (comma == rest.size()) break;
      rest.remove_prefix(comma + 1);
    }
  } else {
    paths.emplace_back(heap, args[2]);
  }
  std::vector<Keyed> rows;
  for (const Value& item : to_vector(heap, v)) {
    Keyed row{{}, item};
    for (const AttributePath& path : paths) row.keys.push_back(fold_case(heap, path.of(heap, item), case_sensitive));
    rows.push_back(std::move(row));
  }
  return heap.list(sort_keyed(heap, std::move(rows), args.truth(heap, 0, false)));
}

Value dictsort(Interpreter& in, const Value& v, const Bound& args) {
  Heap& heap = in.heap();
  const bool case_sensitive = args.truth(heap, 0, false);
  const std::string_view by = args.string(1, "key");
  if (by != "key" && by != "value") fail("You can only sort by either \"key\" or \"value\"");
  if (v.is_undefined()) fail_undefined(v);
  if (!v.is(Kind::kDict)) fail("'{}' object has no attribute 'items'", type_name(v));
  std::vector<Keyed> rows;
  for (const auto& [key, value] : v.dict().entries) {
    rows.push_back({{fold_case(heap, by == "key" ? key : value, case_sensitive)}, heap.tuple({key, value})});
  }
  return heap.list(sort_keyed(heap, std::move(rows), args.truth(heap, 2, false)));
}

template <bool kMax>
Value extreme(Interpreter& in, const Value& v, const Bound& args) {
  Heap& heap = in.heap();
  const bool case_sensitive = args.truth(heap, 0, false);
  const AttributePath path(heap, args[1]);
  Cursor cursor(v);
  Value best;
  if (!cursor.next(heap, best)) {
    return Value::undefined(UndefinedBy::kHint, heap.string("No aggregated item, sequence was empty."));
  }
  Value best_key = fold_case(heap, path.of(heap, best), case_sensitive);
  Value item;
  while (cursor.next(heap, item)) {
    Value key = fold_case(heap, path.of(heap, item), case_sensitive);
    if (kMax ? !less(heap, best_key, key) : !less(heap, key, best_key)) continue;
    best = item;
    best_key = std::move(key);
  }
  return best;
}

Value sum(Interpreter& in, const Value& v, const Bound& args) {
  Heap& heap = in.heap();
  const AttributePath path(heap, args[0]);
  Value total = args.has(1) ? args[1] : Value::integer(0);
  if (total.is_string()) fail("sum() can't sum strings [use ''.join(seq) instead]");
  Cursor cursor(v);
  Value item;
  while (cursor.next(heap, item)) total = arithmetic(heap, Arithmetic::kAdd, total, path.of(heap, item));
  return total;
}

Value join(Interpreter& in, const Value& v, const Bound& args) {
  Heap& heap = in.heap();
  const AttributePath path(heap, args[1]);
  const std::string separator = args.has(0) ? to_text(heap, args[0]) : "";
  std::string out;
  Cursor cursor(v);
  Value item;
  for (bool is_first = true; cursor.next(heap, item); is_first = false) {
    if (!is_first) out += separator;
    append_text(heap, path.of(heap, item), out);
    heap.require(out.size());
  }
  return heap.string(std::move(out));
}

Value unique(Interpreter& in, const Value& v, const Bound& args) {
  Heap& heap = in.heap();
  const bool case_sensitive = args.truth(heap, 0, false);
  const AttributePath path(heap, args[1]);
  auto seen = std::make_shared<DictObject>();
  return heap.iterator([&heap, path, case_sensitive, seen, source = v,
                        cursor = std::make_shared<std::unique_ptr<Cursor>>()](Value& item) {
    if (*cursor == nullptr) *cursor = std::make_unique<Cursor>(source);
    while ((*cursor)->next(heap, item)) {
      const Value key = fold_case(heap, path.of(heap, item), case_sensitive);
      require_hashable(key);
      if (seen->find(key) != nullptr) continue;
      heap.require(seen->entries.size() * 4 * sizeof(Value));
      seen->set(key, Value::none());
      return true;
    }
    return false;
  });
}

// An iterator over items that are made when the first one is asked for.
Value iterate_later(Heap& heap, std::function<std::vector<Value>()> make) {
  return heap.iterator([&heap, make = std::move(make), all = Value(), at = size_t{0}](Value& item) mutable {
    if (all.is_missing()) all = heap.list(make());
    if (at >= all.items().size()) return false;
    item = all.items()[at++];
    return true;
  });
}

std::vector<Value> batch_rows(Heap& heap, const Value& v, const Bound& args) {
  const int64_t count = args.integer(0, 0);
  const Value& fill = args[1];
  std::vector<Value> rows;
  std::vector<Value> row;
  for (const Value& item : to_vector(heap, v)) {
    if (static_cast<int64_t>(row.size()) == count) rows.push_back(heap.list(std::exchange(row, {})));
    row.push_back(item);
  }
  if (!row.empty()) {
    const auto missing = count - static_cast<int64_t>(row.size());
    if (args.has(1) && !fill.is_none() && missing > 0) {
      heap.require(static_cast<size_t>(std::min<int64_t>(missing, INT64_MAX / 64)) * sizeof(Value));
      row.resize(static_cast<size_t>(count), fill);
    }
    rows.push_back(heap.list(std::move(row)));
  }
  return rows;
}

Value batch(Interpreter& in, const Value& v, const Bound& args) {
  return iterate_later(in.heap(), [&heap = in.heap(), v, args] { return batch_rows(heap, v, args); });
}

std::vector<Value> slice_rows(Heap& heap, const Value& v, const Bound& args) {
  const std::vector<Value> items = to_vector(heap, v);
  const int64_t count = args.integer(0, 0);
  if (count == 0) fail("integer division or modulo by zero");
  const auto n = static_cast<int64_t>(items.size());
  const int64_t each = count > 0 ? n / count : 0;
  const int64_t extra = count > 0 ? n % count : 0;
  std::vector<Value> rows;
  int64_t at = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t size = each + (i < extra ? 1 : 0);
    std::vector<Value> row(items.begin() + at, items.begin() + at + size);
    at += size;
    if (args.has(1) && !args[1].is_none() && i >= extra) row.push_back(args[1]);
    heap.require((rows.size() + 1) * sizeof(Value));
    rows.push_back(heap.list(std::move(row)));
  }
  return rows;
}

Value slices(Interpreter& in, const Value& v, const Bound& args) {
  return iterate_later(in.heap(), [&heap = in.heap(), v, args] { return slice_rows(heap, v, args); });
}

constexpr Filter kFilters[] = {
    {"first", "", 0, first},
    {"last", "", 0, last},
    {"length", "/", 0, length_of},
    {"count", "/", 0, length_of},
    {"list", "", 0, list},
    {"reverse", "", 0, reverse},
    {"sort", "reverse,case_sensitive,attribute", 0, sort},
    {"dictsort", "case_sensitive,by,reverse", 0, dictsort},
    {"min", "case_sensitive,attribute", 0, extreme<false>},
    {"max", "case_sensitive,attribute", 0, extreme<true>},
    {"sum", "attribute,start", 0, sum},
    {"join", "d,attribute", 0, join},
    {"unique", "case_sensitive,attribute", 0, unique},
    {"batch", "linecount,fill_with", 1, batch},
    {"slice", "slices,fill_with", 1, slices},
};

}  // namespace

std::span<const Filter> sequence_filters() { return kFilters; }

}  // namespace ingot::jinja
