// From an element type to a C++ type: dispatch_float(c, dtype, [&]<class T>() { … }).
//
// 16-bit floats appear as structs that convert from and to float; Compute<T> is the type to calculate in.
// An element type outside the list ends the run with a clear Status. Thread-safety: pure functions.
#pragma once

#include <string>
#include <type_traits>

#include "backends/backend.h"
#include "tensor/half.h"

namespace ingot {

struct Half {
  uint16_t bits = 0;
  Half() = default;
  Half(float f) : bits(float_to_half(f)) {}  // NOLINT(google-explicit-constructor): it is a number
  operator float() const { return half_to_float(bits); }
};
struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  BFloat16(float f) : bits(float_to_bf16(f)) {}  // NOLINT(google-explicit-constructor): it is a number
  operator float() const { return bf16_to_float(bits); }
};

template <class T>
inline constexpr bool kIsSmallFloat = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;
template <class T>
using Compute = std::conditional_t<kIsSmallFloat<T>, float, T>;
template <class T>
inline constexpr bool kIsFloating = kIsSmallFloat<T> || std::is_floating_point_v<T>;
// Sums: double for floats; for integers an unsigned type, whose overflow wraps.
template <class T>
using Sum = std::conditional_t<kIsFloating<T>, double, uint64_t>;

inline void unsupported_type(const KernelContext& c, DType dtype) {
  c.fail(Status(Code::kUnimplemented, fmt::format("[ref] {} '{}': element type {} is not supported", op_name(c.node.op),
                                                  c.node.name, dtype_name(dtype))));
}
inline void invalid_data(const KernelContext& c, std::string_view what) {
  c.fail(Status(Code::kInvalidArgument, fmt::format("[ref] {} '{}': {}", op_name(c.node.op), c.node.name, what)));
}

template <class F>
bool dispatch_if_float(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kF32: f.template operator()<float>(); return true;
    case DType::kF64: f.template operator()<double>(); return true;
    case DType::kF16: f.template operator()<Half>(); return true;
    case DType::kBF16: f.template operator()<BFloat16>(); return true;
    default: return false;
  }
}

template <class F>
bool dispatch_if_integer(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kI64: f.template operator()<int64_t>(); return true;
    case DType::kI32: f.template operator()<int32_t>(); return true;
    case DType::kI16: f.template operator()<int16_t>(); return true;
    case DType::kI8: f.template operator()<int8_t>(); return true;
    case DType::kU64: f.template operator()<uint64_t>(); return true;
    case DType::kU32: f.template operator()<uint32_t>(); return true;
    case DType::kU16: f.template operator()<uint16_t>(); return true;
    case DType::kU8: f.template operator()<uint8_t>(); return true;
    default: return false;
  }
}

template <class F>
void dispatch_float(const KernelContext& c, DType dtype, F&& f) {
  if (!dispatch_if_float(dtype, f)) unsupported_type(c, dtype);
}
template <class F>
void dispatch_integer(const KernelContext& c, DType dtype, F&& f) {
  if (!dispatch_if_integer(dtype, f)) unsupported_type(c, dtype);
}
template <class F>
void dispatch_number(const KernelContext& c, DType dtype, F&& f) {
  if (!dispatch_if_float(dtype, f) && !dispatch_if_integer(dtype, f)) unsupported_type(c, dtype);
}

struct Bytes16 {
  uint64_t low, high;
};

// For kernels that only move elements: a type of the right size, std::string for strings.
template <class F>
void dispatch_moved(const KernelContext& c, DType dtype, F&& f) {
  if (dtype == DType::kString) return f.template operator()<std::string>();
  if (dtype_info(dtype).block_elements != 1) return unsupported_type(c, dtype);
  switch (dtype_info(dtype).block_bytes) {
    case 1: return f.template operator()<uint8_t>();
    case 2: return f.template operator()<uint16_t>();
    case 4: return f.template operator()<uint32_t>();
    case 8: return f.template operator()<uint64_t>();
    case 16: return f.template operator()<Bytes16>();
    default: return unsupported_type(c, dtype);
  }
}

// Element i of a tensor of 32- or 64-bit integers (indices, sizes, axes).
inline int64_t index_at(const TensorView& t, int64_t i) {
  return t.dtype == DType::kI32 ? t.as<int32_t>()[i] : t.as<int64_t>()[i];
}
inline bool is_index_type(DType t) { return t == DType::kI32 || t == DType::kI64; }

}  // namespace ingot
