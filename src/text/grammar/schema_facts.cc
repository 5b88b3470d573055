#include "text/grammar/schema_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <ranges>
#include <set>
#include <vector>

namespace ingot::grammar {
namespace {

namespace json = boost::json;

constexpr size_t kComparedMax = 10'000;  // pairs of values of two schemas
constexpr size_t kPropertiesMax = 32;    // of a schema that are looked at, the first ones

constexpr std::string_view kYear = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])";
constexpr std::string_view kLeapYear = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)";
constexpr std::string_view kTime =
    "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+\\-]([01][0-9]|2[0-3]):[0-5][0-9])";
constexpr std::string_view kByte = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
constexpr std::string_view kHex = "[0-9A-Fa-f]";
constexpr std::string_view kAtom = "[A-Za-z0-9!#$%&'*+/=?\\^_`{|}~\\-]+";  // RFC 5322, 3.2.3
constexpr std::string_view kLabel = "[A-Za-z0-9]+(-+[A-Za-z0-9]+)*";

std::string date() {
  return fmt::format(
      "({0}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
      "|{1}-02-29)",
      kYear, kLeapYear);
}

bool is_same_number(const json::value& a, const json::value& b) {
  if (!a.is_double() && !b.is_double()) return a == b;
  if (a.is_double() && b.is_double()) return a.get_double() == b.get_double();
  const json::value& real = a.is_double() ? a : b;
  const json::value& whole = a.is_double() ? b : a;
  const double x = real.get_double();
  if (x != std::floor(x) || std::abs(x) > 1e20) return false;
  return static_cast<__int128>(x) ==
         (whole.is_int64() ? static_cast<__int128>(whole.get_int64()) : static_cast<__int128>(whole.get_uint64()));
}

// What a schema allows at most.
struct Allowed {
  std::optional<std::vector<const json::value*>> values;
  std::set<std::string_view> types;  // "number" for integers, too; empty: not known
};

Allowed allowed_by(const json::value& schema) {
  Allowed out;
  const json::object* o = schema.if_object();
  if (!o) return out;
  const auto add = [&](std::string_view type) { out.types.insert(type == "integer" ? "number" : type); };
  if (const json::value* one = o->if_contains("const")) out.values.emplace(1, one);
  if (const json::value* list = o->if_contains("enum"); list && list->is_array()) {
    out.values.emplace();
    for (const json::value& one : list->as_array()) out.values->push_back(&one);
  }
  if (out.values) {
    for (const json::value* one : *out.values) add(type_of(*one));
  } else if (const json::value* type = o->if_contains("type")) {
    if (type->is_string()) add(std::string_view(type->as_string()));
    if (type->is_array())
      for (const json::value& one : type->as_array())
        if (one.is_string()) add(std::string_view(one.as_string()));
  }
  return out;
}

// The schema of a property that an object must have.
const json::value* required_property(const json::value& schema, std::string_view name) {
  const json::object* o = schema.if_object();
  const json::value* required = o ? o->if_contains("required") : nullptr;
  const json::value* properties = o ? o->if_contains("properties") : nullptr;
  if (!required || !required->is_array() || !properties || !properties->is_object()) return nullptr;
  for (const json::value& one : required->as_array())
    if (one.is_string() && std::string_view(one.as_string()) == name) return properties->as_object().if_contains(name);
  return nullptr;
}

bool share_no_value(const Allowed& a, const Allowed& b) {
  if (a.types.empty() || b.types.empty()) return false;
  if (a.values && b.values && a.values->size() * b.values->size() <= kComparedMax)
    return std::ranges::none_of(*a.values, [&](const json::value* x) {
      return std::ranges::any_of(*b.values, [&](const json::value* y) { return is_same(*x, *y); });
    });
  return std::ranges::none_of(a.types, [&](std::string_view t) { return b.types.contains(t); });
}

}  // namespace

std::string_view type_of(const json::value& v) {
  if (v.is_object()) return "object";
  if (v.is_array()) return "array";
  if (v.is_string()) return "string";
  if (v.is_bool()) return "boolean";
  if (v.is_null()) return "null";
  return v.is_double() && v.get_double() != std::floor(v.get_double()) ? "number" : "integer";
}

bool is_same(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number()) return is_same_number(a, b);
  if (a.is_array() && b.is_array()) return std::ranges::equal(a.as_array(), b.as_array(), is_same);
  if (!a.is_object() || !b.is_object()) return a == b;
  return a.as_object().size() == b.as_object().size() && std::ranges::all_of(a.as_object(), [&](const auto& member) {
           const json::value* other = b.as_object().if_contains(member.key());
           return other && is_same(member.value(), *other);
         });
}

std::string number_text(const json::value& number) {
  return number.is_double() ? fmt::format("{}", number.get_double()) : json::serialize(number);
}

std::optional<std::string> format_pattern(std::string_view name) {
  if (name == "date") return date();
  if (name == "time") return std::string(kTime);
  if (name == "date-time") return fmt::format("{}T{}", date(), kTime);
  if (name == "uuid") return fmt::format("{0}{{8}}-{0}{{4}}-{0}{{4}}-{0}{{4}}-{0}{{12}}", kHex);
  if (name == "ipv4") return fmt::format("{0}\\.{0}\\.{0}\\.{0}", kByte);
  if (name == "email") return fmt::format("{0}(\\.{0})*@{1}(\\.{1})*", kAtom, kLabel);
  return std::nullopt;
}

bool exclude_each_other(const json::value& a, const json::value& b) {
  const Allowed in_a = allowed_by(a), in_b = allowed_by(b);
  if (share_no_value(in_a, in_b)) return true;
  const std::set<std::string_view> object = {"object"};
  if (in_a.values || in_b.values || in_a.types != object || in_b.types != object) return false;
  const json::value* properties = a.as_object().if_contains("properties");
  if (!properties || !properties->is_object()) return false;
  return std::ranges::any_of(properties->as_object() | std::views::take(kPropertiesMax), [&](const auto& member) {
    const json::value* one = required_property(a, member.key());
    const json::value* other = required_property(b, member.key());
    return one && other && share_no_value(allowed_by(*one), allowed_by(*other));
  });
}

}  // namespace ingot::grammar
