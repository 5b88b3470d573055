#include "backends/ref/elementwise/number.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace ingot {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The format of a float of up to 8 bits.
struct SmallFloat {
  int exponent_bits, mantissa_bits, bias;
  bool has_infinity;   // as in IEEE 754
  bool negative_zero;  // false ("uz"): its code is the only NaN
  int bits() const { return 1 + exponent_bits + mantissa_bits; }
};

SmallFloat format_of(DType t) {
  switch (t) {
    case DType::kF8E4M3FN: return {4, 3, 7, false, true};
    case DType::kF8E4M3FNUZ: return {4, 3, 8, false, false};
    case DType::kF8E5M2: return {5, 2, 15, true, true};
    case DType::kF8E5M2FNUZ: return {5, 2, 16, false, false};
    case DType::kF4E2M1: return {2, 1, 1, false, true};
    default: INGOT_CHECK(false);
  }
}

double decode(DType type, unsigned code) {
  if (type == DType::kF8E8M0) return code == 255 ? kNaN : std::ldexp(1.0, static_cast<int>(code) - 127);
  const SmallFloat f = format_of(type);
  const unsigned mantissa = code & ((1u << f.mantissa_bits) - 1);
  const unsigned exponent = code >> f.mantissa_bits & ((1u << f.exponent_bits) - 1);
  const bool negative = code >> (f.bits() - 1);
  if (!f.negative_zero && code == 1u << (f.bits() - 1)) return kNaN;
  const bool top = exponent == (1u << f.exponent_bits) - 1;
  if (f.has_infinity && top) return mantissa ? kNaN : negative ? -kInfinity : kInfinity;
  if (type == DType::kF8E4M3FN && top && mantissa == 7) return kNaN;
  const double fraction = static_cast<double>(mantissa) / (1 << f.mantissa_bits);
  const double magnitude =
      exponent ? std::ldexp(1 + fraction, static_cast<int>(exponent) - f.bias) : std::ldexp(fraction, 1 - f.bias);
  return negative ? -magnitude : magnitude;
}

// Powers of two without sign: 2^(code - 127).
unsigned encode_scale(double v, bool saturate, Rounding rounding) {
  if (std::isnan(v) || v < 0) return 255;
  if (v > std::ldexp(1.0, 127)) return saturate ? 254 : 255;
  if (v < std::ldexp(1.0, -127)) return 0;
  int exponent = 0;
  const double fraction = std::frexp(v, &exponent);  // v = fraction * 2^exponent, fraction in [0.5, 1)
  int code = exponent - 1 + 127;
  if (fraction > 0.5 && (rounding == Rounding::kUp || (rounding == Rounding::kNearest && fraction >= 0.75))) ++code;
  return static_cast<unsigned>(std::clamp(code, 0, 254));
}

// The nearest code, ties to the even one.
unsigned encode(DType type, double v, bool saturate, Rounding rounding) {
  if (type == DType::kF8E8M0) return encode_scale(v, saturate, rounding);
  const SmallFloat f = format_of(type);
  const unsigned sign = std::signbit(v) ? 1u << (f.bits() - 1) : 0;
  // f4e2m1 has no NaN: minus zero stands for it.
  const unsigned nan = !f.negative_zero ? 0x80 : type == DType::kF4E2M1 ? 0x8 : f.has_infinity ? 0x7e : 0x7f;
  if (std::isnan(v)) return f.negative_zero ? (sign | nan) : nan;
  unsigned largest = (1u << (f.bits() - 1)) - 1;
  while (!std::isfinite(decode(type, largest))) --largest;
  const double magnitude = std::fabs(v), max = decode(type, largest);
  // Half a step past the largest value everything is out of range.
  const double limit = max + (max - decode(type, largest - 1)) / 2;
  if (magnitude >= limit || std::isinf(v)) {
    if (saturate || type == DType::kF4E2M1) return sign | largest;
    return f.has_infinity ? sign | 0x7c : f.negative_zero ? (sign | nan) : nan;
  }
  unsigned best = 0;
  for (unsigned code = 1; code <= largest; ++code) {
    const double d = std::fabs(decode(type, code) - magnitude), known = std::fabs(decode(type, best) - magnitude);
    if (d < known || (d == known && code % 2 == 0)) best = code;
  }
  return best == 0 && !f.negative_zero ? 0 : sign | best;
}

int bits_of(DType t) { return 8 / dtype_info(t).block_elements; }
bool is_packed(DType t) { return dtype_info(t).block_elements > 1; }

unsigned load_code(const TensorView& t, int64_t i) {
  const int bits = bits_of(t.dtype), per = 8 / bits;
  return static_cast<unsigned>(t.as<uint8_t>()[i / per] >> (i % per * bits)) & ((1u << bits) - 1);
}

void store_code(const TensorRef& t, int64_t i, unsigned code) {
  const int bits = bits_of(t.dtype), per = 8 / bits, shift = static_cast<int>(i % per) * bits;
  const unsigned mask = ((1u << bits) - 1) << shift;
  uint8_t& byte = t.as<uint8_t>()[i / per];
  byte = static_cast<uint8_t>((byte & ~mask) | (code << shift & mask));
}

// Truncation toward zero; what does not fit becomes the nearest 64-bit value.
int64_t truncated(const Number& n) {
  if (n.integral) return n.integer;
  if (std::isnan(n.real)) return 0;
  if (n.real >= 0x1p63) return n.real < 0x1p64 ? static_cast<int64_t>(static_cast<uint64_t>(n.real)) : INT64_MAX;
  return n.real <= -0x1p63 ? INT64_MIN : static_cast<int64_t>(n.real);
}

}  // namespace

bool is_small_float(DType t) {
  return t == DType::kF8E4M3FN || t == DType::kF8E4M3FNUZ || t == DType::kF8E5M2 || t == DType::kF8E5M2FNUZ ||
         t == DType::kF8E8M0 || t == DType::kF4E2M1;
}

bool is_number_type(DType t) {
  return t != DType::kString && t != DType::kC64 && t != DType::kC128 && !is_quantized(t);
}

std::pair<int64_t, int64_t> integer_range(DType t) {
  switch (t) {
    case DType::kI64: return {INT64_MIN, INT64_MAX};
    case DType::kI32: return {INT32_MIN, INT32_MAX};
    case DType::kI16: return {INT16_MIN, INT16_MAX};
    case DType::kI8: return {INT8_MIN, INT8_MAX};
    case DType::kU64: return {0, INT64_MAX};
    case DType::kU32: return {0, UINT32_MAX};
    case DType::kU16: return {0, UINT16_MAX};
    case DType::kU8: return {0, UINT8_MAX};
    case DType::kI4: return {-8, 7};
    case DType::kU4: return {0, 15};
    case DType::kI2: return {-2, 1};
    case DType::kU2: return {0, 3};
    default: return {0, 1};
  }
}

Number load_number(const TensorView& t, int64_t i) {
  Number n;
  if (dispatch_if_float(t.dtype, [&]<class T>() { n.real = static_cast<double>(t.as<T>()[i]); })) return n;
  if (is_small_float(t.dtype)) return {.real = decode(t.dtype, load_code(t, i))};
  n.integral = true;
  if (dispatch_if_integer(t.dtype, [&]<class T>() {
        n.integer = static_cast<int64_t>(t.as<T>()[i]);
        n.real = static_cast<double>(t.as<T>()[i]);
      }))
    return n;
  const int64_t code = load_code(t, i);
  const int64_t half = int64_t{1} << (bits_of(t.dtype) - 1);
  n.integer = (t.dtype == DType::kI4 || t.dtype == DType::kI2) && code >= half ? code - 2 * half : code;
  n.real = static_cast<double>(n.integer);
  return n;
}

void store_number(const TensorRef& t, int64_t i, Number n, bool saturate, Rounding rounding) {
  if (t.dtype == DType::kBool) {
    t.as<uint8_t>()[i] = n.integral ? n.integer != 0 : n.real != 0;
  } else if (is_small_float(t.dtype)) {
    store_code(t, i, encode(t.dtype, n.real, saturate, rounding));
  } else if (is_packed(t.dtype)) {
    store_code(t, i, static_cast<unsigned>(truncated(n)));
  } else if (!dispatch_if_float(t.dtype,
                                [&]<class T>() { t.as<T>()[i] = static_cast<T>(static_cast<Compute<T>>(n.real)); })) {
    dispatch_if_integer(t.dtype, [&]<class T>() { t.as<T>()[i] = static_cast<T>(truncated(n)); });
  }
}

}  // namespace ingot
