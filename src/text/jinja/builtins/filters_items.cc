// Filters that look into the items: map, select, reject and their attr forms, groupby, items, attr, default.
//
// map and the selects are lazy, as Jinja's generators are: what fails, fails when it is iterated over.
#include <algorithm>
#include <memory>

#include "text/jinja/builtins/attribute_path.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/values/print.h"
#include "text/jinja/values/stable_order.h"

namespace ingot::jinja {
namespace {

// Runs `each` over the items of a true value, on demand. `prepare` makes `each` at the first pull.
template <class Prepare>
Value lazily(Interpreter& in, const Value& source, const Prepare& prepare) {
  using Each = decltype(prepare());
  struct State {
    std::unique_ptr<Cursor> cursor;
    std::unique_ptr<Each> each;
    bool empty = false;
  };
  Heap& heap = in.heap();
  return heap.iterator([&heap, source, prepare, state = std::make_shared<State>()](Value& out) {
    if (state->each == nullptr) {
      if (!truth(heap, source)) return false;
      state->each = std::make_unique<Each>(prepare());
      state->cursor = std::make_unique<Cursor>(source);
    }
    Value item;
    while (state->cursor->next(heap, item)) {
      if ((*state->each)(item, out)) return true;
    }
    return false;
  });
}

using Step = std::function<bool(const Value& item, Value& out)>;

std::string callee_name(const Value& v) {
  if (!v.is_string()) fail("the name of a filter or test must be a string, not {}", type_name(v));
  return std::string(v.text());
}

Step map_by_attribute(Interpreter& in, const Arguments& args) {
  Value attribute;
  Value otherwise;
  for (const auto& [key, value] : args.named) {
    if (key.text() == "attribute") {
      attribute = value;
    } else if (key.text() == "default") {
      otherwise = value;
    } else {
      fail("Unexpected keyword argument '{}'", key.text());
    }
  }
  return [&in, path = AttributePath(in.heap(), attribute, otherwise)](const Value& item, Value& out) {
    out = path.of(in.heap(), item);
    return true;
  };
}

Value map(Interpreter& in, const Value& v, const Arguments& args) {
  return lazily(in, v, [&in, args]() -> Step {
    const bool has_attribute =
        std::any_of(args.named.begin(), args.named.end(), [](const auto& a) { return a.first.text() == "attribute"; });
    if (args.positional.empty() && has_attribute) return map_by_attribute(in, args);
    if (args.positional.empty()) fail("map requires a filter argument");
    const std::string name = callee_name(args.positional[0]);
    const int id = find_filter(name);
    if (id < 0) fail("No filter named '{}'.", name);
    Arguments rest = args;
    rest.positional.erase(rest.positional.begin());
    return [&in, id, rest](const Value& item, Value& out) {
      out = call_filter(in, id, item, rest);
      return true;
    };
  });
}

template <bool kAttribute, bool kKeep>
Value choose(Interpreter& in, const Value& v, const Arguments& args) {
  return lazily(in, v, [&in, args]() -> Step {
    AttributePath path;
    size_t at = 0;
    if (kAttribute) {
      if (args.positional.empty()) fail("Missing parameter for attribute name");
      path = AttributePath(in.heap(), args.positional[at++]);
    }
    if (at >= args.positional.size()) {
      return [&in, path](const Value& item, Value& out) {
        out = item;
        return truth(in.heap(), path.of(in.heap(), item)) == kKeep;
      };
    }
    const std::string name = callee_name(args.positional[at++]);
    const int id = find_test(name);
    if (id < 0) fail("No test named '{}'.", name);
    Arguments rest{{args.positional.begin() + static_cast<long>(at), args.positional.end()}, args.named};
    return [&in, path, id, rest](const Value& item, Value& out) {
      out = item;
      return call_test(in, id, path.of(in.heap(), item), rest) == kKeep;
    };
  });
}

Value groupby(Interpreter& in, const Value& v, const Bound& args) {
  Heap& heap = in.heap();
  const bool case_sensitive = args.truth(heap, 2, false);
  const AttributePath path(heap, args[0], args[1]);
  struct Row {
    Value key, item;
  };
  std::vector<Row> rows;
  for (const Value& item : to_vector(heap, v)) {
    rows.push_back({fold_case(heap, path.of(heap, item), case_sensitive), item});
    heap.require(rows.size() * 2 * sizeof(Row));
  }
  stable_order(rows, [&](const Row& a, const Row& b) { return less(heap, a.key, b.key); });
  std::vector<Value> groups;
  for (size_t i = 0; i < rows.size();) {
    std::vector<Value> items;
    size_t end = i;
    while (end < rows.size() && equal(rows[end].key, rows[i].key)) items.push_back(rows[end++].item);
    const Value grouper = case_sensitive ? rows[i].key : path.of(heap, rows[i].item);
    groups.push_back(heap.tuple({grouper, heap.list(std::move(items))}).as_markup());
    i = end;
  }
  return heap.list(std::move(groups));
}

Value items(Interpreter& in, const Value& v, const Bound&) {
  Heap& heap = in.heap();
  return heap.iterator([&heap, v, cursor = std::shared_ptr<Cursor>()](Value& out) mutable {
    if (v.is_undefined()) return false;
    if (!v.is(Kind::kDict)) fail("Can only get item pairs from a mapping.");
    if (cursor == nullptr) cursor = std::make_shared<Cursor>(heap.view(v, ViewOf::kItems));
    return cursor->next(heap, out);
  });
}

// The attribute only: never falls back to the item of that name.
Value attr(Interpreter& in, const Value& v, const Bound& args) {
  const Value name = in.heap().string(std::string(args.string(0, "")));
  if (!v.is(Kind::kDict)) return get_attribute(in.heap(), v, name);
  return get_attribute(in.heap(), in.heap().dict({}), name).is(Kind::kMethod)
             ? get_attribute(in.heap(), v, name)
             : Value::undefined(UndefinedBy::kAttribute, name, v.kind());
}

Value fallback(Interpreter& in, const Value& v, const Bound& args) {
  const bool use = v.is_undefined() || (args.truth(in.heap(), 1, false) && !truth(in.heap(), v));
  if (!use) return v;
  return args.has(0) ? args[0] : in.heap().string("");
}

constexpr Filter kFilters[] = {
    {"map", "", 0, nullptr, map},
    {"select", "", 0, nullptr, choose<false, true>},
    {"reject", "", 0, nullptr, choose<false, false>},
    {"selectattr", "", 0, nullptr, choose<true, true>},
    {"rejectattr", "", 0, nullptr, choose<true, false>},
    {"groupby", "attribute,default,case_sensitive", 1, groupby},
    {"items", "", 0, items},
    {"attr", "name", 1, attr},
    {"default", "default_value,boolean", 0, fallback},
    {"d", "default_value,boolean", 0, fallback},
};

}  // namespace

std::span<const Filter> item_filters() { return kFilters; }

}  // namespace ingot::jinja
