// Any numeric element as a double: for comparing and printing, not for computing.
#pragma once

#include "tensor/half.h"
#include "tensor/tensor.h"

namespace ingot {

// Element i of a tensor of numbers or booleans (no quantized type, no strings). 64-bit integers are rounded.
inline double number_at(const TensorView& t, int64_t i) {
  switch (t.dtype) {
    case DType::kF32: return t.as<float>()[i];
    case DType::kF64: return t.as<double>()[i];
    case DType::kF16: return half_to_float(t.as<uint16_t>()[i]);
    case DType::kBF16: return bf16_to_float(t.as<uint16_t>()[i]);
    case DType::kI64: return static_cast<double>(t.as<int64_t>()[i]);
    case DType::kU64: return static_cast<double>(t.as<uint64_t>()[i]);
    case DType::kI32: return t.as<int32_t>()[i];
    case DType::kU32: return t.as<uint32_t>()[i];
    case DType::kI16: return t.as<int16_t>()[i];
    case DType::kU16: return t.as<uint16_t>()[i];
    case DType::kI8: return t.as<int8_t>()[i];
    default: return t.as<uint8_t>()[i];
  }
}

}  // namespace ingot
