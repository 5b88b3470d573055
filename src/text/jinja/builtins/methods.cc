#include "text/jinja/builtins/methods.h"

#include "text/jinja/interpreter.h"
#include "text/jinja/values/print.h"

namespace ingot::jinja {
namespace {

constexpr Kind kOwners[] = {Kind::kString, Kind::kList, Kind::kTuple, Kind::kDict, Kind::kView,  Kind::kRange,
                            Kind::kInt,    Kind::kBool, Kind::kFloat, Kind::kLoop, Kind::kCycler};

std::span<const Method> table(Kind kind) { return kind == Kind::kString ? string_methods() : container_methods(kind); }

constexpr int kPerKind = 128;  // an id is the kind times this, plus the row

const Method& row(int id) { return table(static_cast<Kind>(id / kPerKind))[static_cast<size_t>(id % kPerKind)]; }

}  // namespace

int find_method(Kind kind, std::string_view name) {
  for (const Kind owner : kOwners) {
    if (owner != kind) continue;
    const auto rows = table(kind);
    for (size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].name == name) return static_cast<int>(kind) * kPerKind + static_cast<int>(i);
    }
  }
  return -1;
}

bool method_mutates(int id) { return row(id).mutates; }
std::string_view method_name(int id) { return row(id).name; }

Value call_method(Interpreter& in, const MethodObject& method, const Arguments& args) {
  const Method& m = row(method.id);
  if (m.raw != nullptr) return m.raw(in, method.self, args);
  if (m.fn == nullptr) fail("the method '{}' of '{}' is not supported in templates", m.name, type_name(method.self));
  return m.fn(in, method.self, Bound(m.name, m.parameters, m.required, args));
}

}  // namespace ingot::jinja
