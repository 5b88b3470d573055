// Attributes and methods of Python's str, list, tuple, dict, views, range and number types.
//
// What would change a list or dict is refused, as Jinja's immutable sandbox refuses it. Stateless.
#pragma once

#include <span>
#include <string_view>

#include "text/jinja/builtins/builtins.h"

namespace ingot::jinja {

using MethodFn = Value (*)(Interpreter&, const Value& self, const Bound& args);
using RawMethodFn = Value (*)(Interpreter&, const Value& self, const Arguments& args);
struct Method {
  std::string_view name;
  std::string_view parameters;
  size_t required;
  MethodFn fn;  // nullptr with no raw: exists in Python, refused here
  RawMethodFn raw = nullptr;
  bool mutates = false;
};
std::span<const Method> string_methods();
std::span<const Method> container_methods(Kind kind);

// The id of a method of this kind of value, -1 if it has none of that name.
int find_method(Kind kind, std::string_view name);
bool method_mutates(int id);
std::string_view method_name(int id);
Value call_method(Interpreter& in, const MethodObject& method, const Arguments& args);

}  // namespace ingot::jinja
