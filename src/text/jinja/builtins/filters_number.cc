// Filters about numbers: abs, int, float, round, filesizeformat.
#include <cmath>
#include <cstdlib>

#include "text/jinja/interpreter.h"
#include "text/jinja/values/print.h"

namespace ingot::jinja {
namespace {

Value absolute(Interpreter&, const Value& v, const Bound&) {
  if (v.is_undefined()) fail_undefined(v);
  if (v.is(Kind::kFloat)) return Value::real(std::fabs(v.as_double()));
  if (!v.is_integral()) fail("bad operand type for abs(): '{}'", type_name(v));
  return v.as_int() < 0 ? negate(v) : Value::integer(v.as_int());
}

// int(x) of a float: toward zero; false if it is no finite number.
bool truncate(double d, int64_t& out) {
  if (!std::isfinite(d)) return false;
  d = std::trunc(d);
  if (std::abs(d) >= 9223372036854775808.0) fail("the number {} passes 64 bits", repr_of_double(d));
  out = static_cast<int64_t>(d);
  return true;
}

Value to_int(Interpreter&, const Value& v, const Bound& args) {
  if (v.is_undefined()) fail_undefined(v);
  int64_t n = 0;
  if (v.is_integral()) return Value::integer(v.as_int());
  if (v.is(Kind::kFloat)) {
    if (std::isinf(v.as_double())) fail("cannot convert float infinity to integer");
    if (truncate(v.as_double(), n)) return Value::integer(n);
  }
  if (v.is_string()) {
    if (parse_int(v.text(), args.integer(1, 10), n)) return Value::integer(n);
    double d = 0;
    if (parse_float(v.text(), d) && truncate(d, n)) return Value::integer(n);
  }
  return args.has(0) ? args[0] : Value::integer(0);
}

Value to_float(Interpreter&, const Value& v, const Bound& args) {
  if (v.is_undefined()) fail_undefined(v);
  if (v.is_number()) return Value::real(v.as_double());
  double d = 0;
  if (v.is_string() && parse_float(v.text(), d)) return Value::real(d);
  return args.has(0) ? args[0] : Value::real(0);
}

// The double nearest to v rounded at that decimal place, ties to even.
double round_at(double v, int64_t precision) {
  if (!std::isfinite(v) || precision > 323) return v;
  if (precision < -308) return std::copysign(0.0, v);
  if (precision >= 0) {
    char text[720];
    std::snprintf(text, sizeof(text), "%.*f", static_cast<int>(precision), v);
    return std::strtod(text, nullptr);
  }
  const double scale = std::pow(10.0, static_cast<double>(-precision));
  return std::nearbyint(v / scale) * scale;
}

Value round_integer(int64_t v, int64_t precision) {
  if (precision >= 0) return Value::integer(v);
  if (precision < -18) return Value::integer(0);
  int64_t unit = 1;
  for (int64_t i = precision; i < 0; ++i) unit *= 10;
  int64_t rest = v % unit;
  if (rest < 0) rest += unit;
  __int128 low = static_cast<__int128>(v) - rest;
  const bool up = rest > unit - rest || (rest == unit - rest && (low / unit) % 2 != 0);
  if (up) low += unit;
  if (low > INT64_MAX || low < INT64_MIN) fail("the result passes 64 bits");
  return Value::integer(static_cast<int64_t>(low));
}

Value round(Interpreter&, const Value& v, const Bound& args) {
  const std::string_view method = args.string(1, "common");
  const int64_t precision = args.integer(0, 0);
  if (method != "common" && method != "ceil" && method != "floor") fail("method must be common, ceil or floor");
  if (v.is_undefined()) fail_undefined(v);
  if (!v.is_number()) fail("type {} doesn't define __round__ method", type_name(v));
  if (method == "common") {
    return v.is_integral() ? round_integer(v.as_int(), precision) : Value::real(round_at(v.as_double(), precision));
  }
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = v.as_double() * scale;
  if (!std::isfinite(scaled)) fail("cannot convert float {} to integer", repr_of_double(scaled));
  return Value::real((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

Value file_size(Interpreter& in, const Value& v, const Bound& args) {
  double bytes = 0;
  if (v.is_undefined()) fail_undefined(v);
  if (v.is_number()) {
    bytes = v.as_double();
  } else if (!v.is_string() || !parse_float(v.text(), bytes)) {
    fail("filesizeformat: '{}' is no number", to_text(in.heap(), v));
  }
  const bool binary = args.truth(in.heap(), 0, false);
  const double base = binary ? 1024 : 1000;
  if (bytes == 1) return in.heap().string("1 Byte");
  if (bytes < base) return in.heap().string(fmt::format("{:.0f} Bytes", std::trunc(bytes) + 0.0));
  static constexpr std::string_view kPrefixes = "kMGTPEZY";
  double unit = base;
  size_t i = 0;
  for (unit *= base; bytes >= unit && i + 1 < kPrefixes.size(); unit *= base) ++i;
  const char prefix = binary && i == 0 ? 'K' : kPrefixes[i];
  return in.heap().string(fmt::format("{:.1f} {}{}", base * bytes / unit, prefix, binary ? "iB" : "B"));
}

constexpr Filter kFilters[] = {
    {"abs", "/", 0, absolute},
    {"int", "default,base", 0, to_int},
    {"float", "default", 0, to_float},
    {"round", "precision,method", 0, round},
    {"filesizeformat", "binary", 0, file_size},
};

}  // namespace

std::span<const Filter> number_filters() { return kFilters; }

}  // namespace ingot::jinja
