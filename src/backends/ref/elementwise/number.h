// Single numbers of any element type, for the ops that convert: Cast, QuantizeLinear, DequantizeLinear.
// Sub-byte types are packed from the low bits up. Small floats are given by their tables of values.
// Thread-safety: pure functions; two threads must not store into one byte.
#pragma once

#include "backends/ref/dispatch.h"

namespace ingot {

// A value that keeps 64-bit integers exact.
struct Number {
  double real = 0;
  int64_t integer = 0;    // two's complement bits, if `integral`
  bool integral = false;  // from an integer or bool type
};

enum class Rounding { kNearest, kUp, kDown };  // to 8-bit exponent scales only; others round to nearest even

bool is_number_type(DType type);
Number load_number(const TensorView& t, int64_t i);
// Floats to floats round to nearest even; `saturate` tells what small floats do out of range (ONNX Cast).
// Floats to integers truncate; integers to narrower integers wrap.
void store_number(const TensorRef& t, int64_t i, Number n, bool saturate, Rounding rounding = Rounding::kNearest);

// The number that `text` spells, as an integer if it can and should be; nullopt: none.
std::optional<Number> number_of(const std::string& text, bool integral);

// The least and greatest value of an integer type.
std::pair<int64_t, int64_t> integer_range(DType type);
bool is_small_float(DType type);

}  // namespace ingot
