// + - * / // % ** and the unary signs, as Python computes them.
#include <cmath>

#include "text/jinja/values/format.h"
#include "text/jinja/values/operators.h"
#include "text/jinja/values/print.h"

namespace ingot::jinja {
namespace {

constexpr std::string_view kSigns[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};

[[noreturn]] void unsupported(Arithmetic op, const Value& a, const Value& b) {
  fail("unsupported operand type(s) for {}: '{}' and '{}'", kSigns[static_cast<int>(op)], type_name(a), type_name(b));
}

[[noreturn]] void too_large() { fail("the result passes 64-bit integers, the largest this interpreter holds"); }

int64_t floor_divide(int64_t a, int64_t b) {
  const int64_t q = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}

double float_mod(double a, double b) {
  const double m = std::fmod(a, b);
  if (m == 0) return std::copysign(0.0, b);
  return (m < 0) != (b < 0) ? m + b : m;
}

double float_floor_divide(double a, double b) {
  const double m = std::fmod(a, b);
  double q = (a - m) / b;
  if (m != 0 && (m < 0) != (b < 0)) q -= 1;
  if (q == 0) return std::copysign(0.0, a / b);
  const double whole = std::floor(q);
  return q - whole > 0.5 ? whole + 1 : whole;
}

Value integer_power(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) fail("0.0 cannot be raised to a negative power");
    return Value::real(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) too_large();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) too_large();
  }
  return Value::integer(result);
}

Value integers(Arithmetic op, int64_t a, int64_t b) {
  int64_t r = 0;
  switch (op) {
    case Arithmetic::kAdd:
      if (__builtin_add_overflow(a, b, &r)) too_large();
      return Value::integer(r);
    case Arithmetic::kSub:
      if (__builtin_sub_overflow(a, b, &r)) too_large();
      return Value::integer(r);
    case Arithmetic::kMul:
      if (__builtin_mul_overflow(a, b, &r)) too_large();
      return Value::integer(r);
    case Arithmetic::kPow: return integer_power(a, b);
    default: break;
  }
  if (b == 0) fail("{}", op == Arithmetic::kDiv ? "division by zero" : "integer division or modulo by zero");
  if (op == Arithmetic::kDiv) {
    return Value::real(static_cast<double>(static_cast<long double>(a) / static_cast<long double>(b)));
  }
  if (b == -1) {  // the one division that overflows
    if (op == Arithmetic::kMod) return Value::integer(0);
    if (__builtin_sub_overflow(int64_t{0}, a, &r)) too_large();
    return Value::integer(r);
  }
  const int64_t q = floor_divide(a, b);
  return Value::integer(op == Arithmetic::kFloorDiv ? q : a - q * b);
}

Value reals(Arithmetic op, double a, double b) {
  switch (op) {
    case Arithmetic::kAdd: return Value::real(a + b);
    case Arithmetic::kSub: return Value::real(a - b);
    case Arithmetic::kMul: return Value::real(a * b);
    case Arithmetic::kPow: {
      if (a == 0 && b < 0) fail("0.0 cannot be raised to a negative power");
      if (a < 0 && std::isfinite(b) && b != std::floor(b)) fail("a negative number to a broken power is complex");
      const double r = std::pow(a, b);
      if (std::isinf(r) && std::isfinite(a) && std::isfinite(b)) fail("(34, 'Numerical result out of range')");
      return Value::real(r);
    }
    default: break;
  }
  if (b == 0) fail("{}", op == Arithmetic::kDiv ? "float division by zero" : "float floor division or modulo by zero");
  if (op == Arithmetic::kDiv) return Value::real(a / b);
  return Value::real(op == Arithmetic::kMod ? float_mod(a, b) : float_floor_divide(a, b));
}

Value repeat(Heap& heap, const Value& what, int64_t times) {
  const size_t n = times < 0 ? 0 : static_cast<size_t>(times);
  const size_t unit = what.is_string() ? what.text().size() : what.items().size() * sizeof(Value);
  if (unit != 0 && n > limits::kTemplateMemoryBytesMax / unit) heap.require(SIZE_MAX);
  heap.require(unit * n);
  heap.step_bytes(unit * n);
  if (what.is_string()) {
    std::string out;
    out.reserve(unit * n);
    for (size_t i = 0; i < n && unit != 0; ++i) out += what.text();
    Value text = heap.string(std::move(out));
    return what.is_markup() ? text.as_markup() : text;
  }
  std::vector<Value> items;
  items.reserve(what.items().size() * n);
  for (size_t i = 0; i < n && unit != 0; ++i) items.insert(items.end(), what.items().begin(), what.items().end());
  return heap.sequence(what.kind(), std::move(items));
}

Value concatenate(Heap& heap, const Value& a, const Value& b) {
  if (a.is_string()) {
    heap.require(a.text().size() + b.text().size());
    const bool markup = a.is_markup() || b.is_markup();
    std::string out = markup && !a.is_markup() ? escape_html(a.text()) : std::string(a.text());
    if (markup && !b.is_markup()) {
      out += escape_html(b.text());
    } else {
      out += b.text();
    }
    Value text = heap.string(std::move(out));
    return markup ? text.as_markup() : text;
  }
  heap.require((a.items().size() + b.items().size()) * sizeof(Value));
  std::vector<Value> items = a.items();
  items.insert(items.end(), b.items().begin(), b.items().end());
  return heap.sequence(a.kind(), std::move(items));
}

}  // namespace

Value arithmetic(Heap& heap, Arithmetic op, const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return integers(op, a.as_int(), b.as_int());
  if (a.is_number() && b.is_number()) return reals(op, a.as_double(), b.as_double());
  if (op == Arithmetic::kMod && a.is_string()) return heap.string(format_percent(heap, a.text(), b));
  if (a.is_undefined()) fail_undefined(a);
  if (b.is_undefined()) fail_undefined(b);
  const bool a_repeats = a.is_string() || a.is_sequence();
  const bool b_repeats = b.is_string() || b.is_sequence();
  if (op == Arithmetic::kAdd && a_repeats && a.kind() == b.kind()) return concatenate(heap, a, b);
  if (op == Arithmetic::kMul && a_repeats && b.is_integral()) return repeat(heap, a, b.as_int());
  if (op == Arithmetic::kMul && b_repeats && a.is_integral()) return repeat(heap, b, a.as_int());
  unsupported(op, a, b);
}

Value negate(const Value& value) {
  if (value.is_undefined()) fail_undefined(value);
  if (value.is(Kind::kFloat)) return Value::real(-value.as_double());
  if (!value.is_integral()) fail("bad operand type for unary -: '{}'", type_name(value));
  return integers(Arithmetic::kSub, 0, value.as_int());
}

Value plus(const Value& value) {
  if (value.is_undefined()) fail_undefined(value);
  if (value.is(Kind::kFloat)) return value;
  if (!value.is_integral()) fail("bad operand type for unary +: '{}'", type_name(value));
  return Value::integer(value.as_int());
}

}  // namespace ingot::jinja
