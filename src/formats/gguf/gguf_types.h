// The type numbers of a GGUF file: ggml tensor types (gguf_types.def) and metadata value types.
// Source of the facts: ggml.h and the GGUF specification. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/status.h"
#include "tensor/dtype.h"

namespace ingot {

enum class GgufValueType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

// Bytes of a fixed-size value, 0 for a string, an array or an unknown type.
uint32_t gguf_value_bytes(GgufValueType type);

// Errors: kInvalidArgument for withdrawn and unknown ids; a bare reason, the caller adds the tensor.
Result<DType> dtype_from_gguf(uint32_t id);
// Nullopt for a dtype that GGUF cannot hold.
std::optional<uint32_t> gguf_from_dtype(DType type);

}  // namespace ingot
