// Methods of list, tuple, dict, range, numbers and the loop object.
#include <cmath>

#include "text/jinja/builtins/methods.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/values/print.h"

namespace ingot::jinja {
namespace {

Value sequence_count(Interpreter& in, const Value& self, const Bound& args) {
  int64_t n = 0;
  Cursor cursor(self);
  Value item;
  while (cursor.next(in.heap(), item)) n += item.same_object(args[0]) || equal(item, args[0]) ? 1 : 0;
  return Value::integer(n);
}

Value sequence_index(Interpreter& in, const Value& self, const Bound& args) {
  const int64_t n = length(in.heap(), self);
  const auto bound = [&](size_t i, int64_t otherwise) {
    const int64_t v = args.integer(i, otherwise);
    return v < 0 ? std::max<int64_t>(0, v < -n ? 0 : v + n) : std::min(v, n);
  };
  const int64_t stop = bound(2, n);
  for (int64_t i = bound(1, 0); i < stop; ++i) {
    in.heap().step();
    const Value item = get_item(in.heap(), self, Value::integer(i));
    if (item.same_object(args[0]) || equal(item, args[0])) return Value::integer(i);
  }
  fail("{} is not in {}", repr(in.heap(), args[0]), type_name(self));
}

Value list_copy(Interpreter& in, const Value& self, const Bound&) { return in.heap().list(self.items()); }
Value dict_copy(Interpreter&, const Value& self, const Bound&) { return self; }  // dicts never change

Value dict_get(Interpreter&, const Value& self, const Bound& args) {
  require_hashable(args[0]);
  const Value* v = self.dict().find(args[0]);
  if (v != nullptr) return *v;
  return args.has(1) ? args[1] : Value::none();
}

Value dict_keys(Interpreter& in, const Value& self, const Bound&) { return in.heap().view(self, ViewOf::kKeys); }
Value dict_values(Interpreter& in, const Value& self, const Bound&) { return in.heap().view(self, ViewOf::kValues); }
Value dict_items(Interpreter& in, const Value& self, const Bound&) { return in.heap().view(self, ViewOf::kItems); }

Value int_bit_length(Interpreter&, const Value& self, const Bound&) {
  const auto v = static_cast<uint64_t>(self.as_int() < 0 ? -self.as_int() : self.as_int());
  return Value::integer(v == 0 ? 0 : 64 - __builtin_clzll(v));
}

Value float_is_integer(Interpreter&, const Value& self, const Bound&) {
  return Value::boolean(std::isfinite(self.as_double()) && self.as_double() == std::floor(self.as_double()));
}

Value loop_cycle(Interpreter&, const Value& self, const Arguments& args) {
  if (args.positional.empty()) fail("no items for cycling given");
  const auto n = static_cast<int64_t>(args.positional.size());
  return args.positional[static_cast<size_t>(self.as<LoopContext>().index0() % n)];
}

Value loop_changed(Interpreter&, const Value& self, const Arguments& args) {
  return Value::boolean(self.as<LoopContext>().changed(args.positional));
}

Value cycler_next(Interpreter&, const Value& self, const Bound&) {
  auto& cycler = self.as<Cycler>();
  Value v = cycler.items[cycler.position];
  cycler.position = (cycler.position + 1) % cycler.items.size();
  return v;
}

Value cycler_reset(Interpreter&, const Value& self, const Bound&) {
  self.as<Cycler>().position = 0;
  return Value::none();
}

constexpr Method mutator(std::string_view name) { return {name, "", 0, nullptr, nullptr, true}; }

constexpr Method kList[] = {
    {"count", "/value", 1, sequence_count},
    {"index", "/value,start,stop", 1, sequence_index},
    {"copy", "", 0, list_copy},
    mutator("append"),
    mutator("clear"),
    mutator("pop"),
    mutator("reverse"),
    mutator("insert"),
    mutator("sort"),
    mutator("extend"),
    mutator("remove"),
};
constexpr Method kTuple[] = {
    {"count", "/value", 1, sequence_count},
    {"index", "/value,start,stop", 1, sequence_index},
};
constexpr Method kRange[] = {
    {"count", "/value", 1, sequence_count},
    {"index", "/value", 1, sequence_index},
};
constexpr Method kDict[] = {
    {"get", "/key,default", 1, dict_get},
    {"keys", "", 0, dict_keys},
    {"values", "", 0, dict_values},
    {"items", "", 0, dict_items},
    {"copy", "", 0, dict_copy},
    {"fromkeys", "", 0, nullptr},
    mutator("clear"),
    mutator("pop"),
    mutator("popitem"),
    mutator("setdefault"),
    mutator("update"),
};
constexpr Method kView[] = {{"mapping", "", 0, nullptr}, {"isdisjoint", "", 0, nullptr}};
constexpr Method kInt[] = {
    {"bit_length", "", 0, int_bit_length}, {"bit_count", "", 0, nullptr},        {"conjugate", "", 0, nullptr},
    {"to_bytes", "", 0, nullptr},          {"as_integer_ratio", "", 0, nullptr},
};
constexpr Method kFloat[] = {
    {"is_integer", "", 0, float_is_integer},
    {"hex", "", 0, nullptr},
    {"conjugate", "", 0, nullptr},
    {"as_integer_ratio", "", 0, nullptr},
};
constexpr Method kLoop[] = {
    {"cycle", "", 0, nullptr, loop_cycle},
    {"changed", "", 0, nullptr, loop_changed},
};
constexpr Method kCycler[] = {{"next", "", 0, cycler_next}, {"reset", "", 0, cycler_reset}};

}  // namespace

std::span<const Method> container_methods(Kind kind) {
  switch (kind) {
    case Kind::kList: return kList;
    case Kind::kTuple: return kTuple;
    case Kind::kRange: return kRange;
    case Kind::kDict: return kDict;
    case Kind::kView: return kView;
    case Kind::kInt:
    case Kind::kBool: return kInt;
    case Kind::kFloat: return kFloat;
    case Kind::kLoop: return kLoop;
    case Kind::kCycler: return kCycler;
    default: return {};
  }
}

}  // namespace ingot::jinja
