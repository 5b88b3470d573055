// The tests of "is": defined, none, string, odd, in, eq, ...
#include <cmath>

#include "text/jinja/interpreter.h"
#include "text/jinja/values/format.h"
#include "text/jinja/values/print.h"
#include "text/jinja/values/text_ops.h"

namespace ingot::jinja {
namespace {

Value modulo(Interpreter& in, const Value& v, const Value& by) {
  return arithmetic(in.heap(), Arithmetic::kMod, v, by);
}

bool odd(Interpreter& in, const Value& v, const Bound&) {
  return equal(modulo(in, v, Value::integer(2)), Value::integer(1));
}
bool even(Interpreter& in, const Value& v, const Bound&) {
  return equal(modulo(in, v, Value::integer(2)), Value::integer(0));
}
bool divisible_by(Interpreter& in, const Value& v, const Bound& args) {
  return equal(modulo(in, v, args[0]), Value::integer(0));
}
bool defined(Interpreter&, const Value& v, const Bound&) { return !v.is_undefined(); }
bool undefined(Interpreter&, const Value& v, const Bound&) { return v.is_undefined(); }
bool is_filter(Interpreter&, const Value& v, const Bound&) {
  require_hashable(v);
  return v.is_string() && find_filter(v.text()) >= 0;
}
bool is_test(Interpreter&, const Value& v, const Bound&) {
  require_hashable(v);
  return v.is_string() && find_test(v.text()) >= 0;
}
bool none(Interpreter&, const Value& v, const Bound&) { return v.is_none(); }
bool boolean(Interpreter&, const Value& v, const Bound&) { return v.is(Kind::kBool); }
bool is_false(Interpreter&, const Value& v, const Bound&) { return v.is(Kind::kBool) && !v.as_bool(); }
bool is_true(Interpreter&, const Value& v, const Bound&) { return v.is(Kind::kBool) && v.as_bool(); }
bool integer(Interpreter&, const Value& v, const Bound&) { return v.is(Kind::kInt); }
bool real(Interpreter&, const Value& v, const Bound&) { return v.is(Kind::kFloat); }
bool lower(Interpreter& in, const Value& v, const Bound&) { return is_lower_text(to_text(in.heap(), v)); }
bool upper(Interpreter& in, const Value& v, const Bound&) { return is_upper_text(to_text(in.heap(), v)); }
bool string(Interpreter&, const Value& v, const Bound&) { return v.is_string(); }
bool mapping(Interpreter&, const Value& v, const Bound&) { return v.is(Kind::kDict); }
bool number(Interpreter&, const Value& v, const Bound&) { return v.is_number(); }
bool sequence(Interpreter&, const Value& v, const Bound&) {
  return v.is_string() || v.is_sequence() || v.is(Kind::kDict) || v.is(Kind::kRange) || v.is_undefined();
}
bool iterable(Interpreter&, const Value& v, const Bound&) { return is_iterable(v); }
bool callable(Interpreter&, const Value& v, const Bound&) {
  switch (v.kind()) {
    case Kind::kUndefined:  // has __call__, which raises
    case Kind::kMethod:
    case Kind::kFunction:
    case Kind::kMacro:
    case Kind::kLoop:
    case Kind::kJoiner: return true;
    default: return false;
  }
}
bool same_as(Interpreter&, const Value& v, const Bound& args) {
  if (v.is_string() && args[0].is_string()) return v.text() == args[0].text() && v.text().size() <= 1;
  return v.same_object(args[0]);
}
bool escaped(Interpreter&, const Value& v, const Bound&) { return v.is_markup(); }
bool in_container(Interpreter& in, const Value& v, const Bound& args) { return contains(in.heap(), args[0], v); }
bool eq(Interpreter&, const Value& v, const Bound& args) { return equal(v, args[0]); }
bool ne(Interpreter&, const Value& v, const Bound& args) { return !equal(v, args[0]); }
bool gt(Interpreter& in, const Value& v, const Bound& args) { return less(in.heap(), args[0], v); }
bool ge(Interpreter& in, const Value& v, const Bound& args) { return less_equal(in.heap(), args[0], v); }
bool lt(Interpreter& in, const Value& v, const Bound& args) { return less(in.heap(), v, args[0]); }
bool le(Interpreter& in, const Value& v, const Bound& args) { return less_equal(in.heap(), v, args[0]); }

constexpr Test kTests[] = {
    {"odd", "", odd},
    {"even", "", even},
    {"divisibleby", "num", divisible_by},
    {"defined", "", defined},
    {"undefined", "", undefined},
    {"filter", "", is_filter},
    {"test", "", is_test},
    {"none", "", none},
    {"boolean", "", boolean},
    {"false", "", is_false},
    {"true", "", is_true},
    {"integer", "", integer},
    {"float", "", real},
    {"lower", "", lower},
    {"upper", "", upper},
    {"string", "", string},
    {"mapping", "", mapping},
    {"number", "", number},
    {"sequence", "", sequence},
    {"iterable", "", iterable},
    {"callable", "", callable},
    {"sameas", "other", same_as},
    {"escaped", "", escaped},
    {"in", "seq", in_container},
    {"==", "/b", eq},
    {"eq", "/b", eq},
    {"equalto", "/b", eq},
    {"!=", "/b", ne},
    {"ne", "/b", ne},
    {">", "/b", gt},
    {"gt", "/b", gt},
    {"greaterthan", "/b", gt},
    {">=", "/b", ge},
    {"ge", "/b", ge},
    {"<", "/b", lt},
    {"lt", "/b", lt},
    {"lessthan", "/b", lt},
    {"<=", "/b", le},
    {"le", "/b", le},
};

}  // namespace

int find_test(std::string_view name) {
  for (size_t i = 0; i < std::size(kTests); ++i) {
    if (kTests[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

bool call_test(Interpreter& in, int id, const Value& input, const Arguments& args) {
  const Test& t = kTests[id];
  const size_t required = t.parameters.empty() ? 0 : 1;
  return t.fn(in, input, Bound(t.name, t.parameters, required, args));
}

}  // namespace ingot::jinja
