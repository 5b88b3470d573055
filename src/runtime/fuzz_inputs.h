// For the fuzzers of this folder: inputs for any graph, small and valid.
#pragma once

#include "ir/graph.h"

namespace ingot::fuzz {

inline constexpr size_t kBytesMax = 256 << 10;

// Symbols and unknown sizes become 1, 2 or 3, the same symbol always the same.
inline Shape small_shape(const Type& t) {
  if (!t.ranked()) return {2};
  Shape shape;
  for (const Dim& d : *t.dims)
    shape.push_back(d.is_const()     ? d.value()
                    : d.is_unknown() ? 2
                                     : 1 + static_cast<int64_t>(std::hash<std::string>()(d.to_string()) % 3));
  return shape;
}

// Small numbers of both signs, whatever the type: bytes that are valid in every one of them.
inline Tensor small_numbers(DType dtype, const Shape& shape) {
  Tensor t = Tensor::allocate(dtype, shape);
  for (int64_t i = 0; i < shape.num_elements(); ++i) {
    const int64_t v = i % 4;
    switch (dtype) {
      case DType::kF32: t.mutable_as<float>()[i] = static_cast<float>(v) - 1.5f; break;
      case DType::kF64: t.mutable_as<double>()[i] = static_cast<double>(v) - 1.5; break;
      case DType::kI64:
      case DType::kU64: t.mutable_as<int64_t>()[i] = v; break;
      case DType::kI32:
      case DType::kU32: t.mutable_as<int32_t>()[i] = static_cast<int32_t>(v); break;
      case DType::kI16:
      case DType::kU16: t.mutable_as<int16_t>()[i] = static_cast<int16_t>(v); break;
      case DType::kF16:
      case DType::kBF16: t.mutable_as<uint16_t>()[i] = static_cast<uint16_t>(0x3C00 + v); break;
      case DType::kI8:
      case DType::kU8: t.mutable_as<int8_t>()[i] = static_cast<int8_t>(v); break;
      case DType::kBool: t.mutable_as<uint8_t>()[i] = v & 1; break;
      default: break;  // strings: empty
    }
  }
  return t;
}

// A value of the type: of a sequence two elements, of an optional one. Undefined if it would be large.
inline Tensor small_value(const Type& type) {
  if (!type.is_container()) {
    const Shape shape = small_shape(type);
    if (TensorView{type.dtype, shape, nullptr}.num_bytes() > kBytesMax) return {};
    return small_numbers(type.dtype, shape);
  }
  Tensor out = Tensor::allocate(type.dtype, Shape{type.dtype == DType::kOptional ? 1 : 2});
  for (int64_t i = 0; i < out.shape()[0]; ++i) {
    Tensor& element = out.mutable_as<Tensor>()[i];
    element = small_value(type.elements[type.dtype == DType::kMap ? static_cast<size_t>(i) : 0]);
    if (!element.defined()) return {};
  }
  return out;
}

}  // namespace ingot::fuzz
