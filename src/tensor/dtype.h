// Element types of tensors: plain numbers, ONNX's small floats and integers, GGUF's quantized blocks.
// The list is dtypes.def. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ingot {

enum class DType : uint8_t {
#define DTYPE(id, name, block, bytes) id,
#include "tensor/dtypes.def"
#undef DTYPE
};

struct DTypeInfo {
  std::string_view name;  // "q4_k"
  int block_elements;
  int block_bytes;
};
const DTypeInfo& dtype_info(DType type);

inline std::string_view dtype_name(DType type) { return dtype_info(type).name; }
std::optional<DType> dtype_from_name(std::string_view name);

// True for GGUF's block formats (block_formats.h decodes them).
inline bool is_quantized(DType type) { return type >= DType::kQ1_0; }
// True for what holds tensors: a value of rank 1 whose elements are Tensor objects.
inline bool is_container(DType type) {
  return type == DType::kSequence || type == DType::kOptional || type == DType::kMap;
}
// True for elements that are C++ objects, not bytes: they must be constructed and cannot be copied with memcpy().
inline bool holds_objects(DType type) { return type == DType::kString || is_container(type); }
inline bool is_float(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16 || type == DType::kF64;
}

// Bytes of n consecutive elements; n is rounded up to whole blocks.
inline size_t dtype_bytes(DType type, int64_t n) {
  const DTypeInfo& info = dtype_info(type);
  return static_cast<size_t>((n + info.block_elements - 1) / info.block_elements) * info.block_bytes;
}

}  // namespace ingot
