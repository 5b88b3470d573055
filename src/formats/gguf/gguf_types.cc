#include "formats/gguf/gguf_types.h"

namespace ingot {

uint32_t gguf_value_bytes(GgufValueType type) {
  switch (type) {
    case GgufValueType::kU8:
    case GgufValueType::kI8:
    case GgufValueType::kBool: return 1;
    case GgufValueType::kU16:
    case GgufValueType::kI16: return 2;
    case GgufValueType::kU32:
    case GgufValueType::kI32:
    case GgufValueType::kF32: return 4;
    case GgufValueType::kU64:
    case GgufValueType::kI64:
    case GgufValueType::kF64: return 8;
    case GgufValueType::kString:
    case GgufValueType::kArray: return 0;
  }
  return 0;
}

Result<DType> dtype_from_gguf(uint32_t id) {
  switch (id) {
#define GGUF_TYPE(number, dtype) \
  case number: return DType::dtype;
#define GGUF_NO_TYPE(number, name, fix) \
  case number: return invalid("type {} ({}) cannot be read: {}", id, name, fix);
#include "formats/gguf/gguf_types.def"
#undef GGUF_TYPE
#undef GGUF_NO_TYPE
    default: return invalid("type {} is not known: the file is corrupt or newer than this program", id);
  }
}

std::optional<uint32_t> gguf_from_dtype(DType type) {
  switch (type) {
#define GGUF_TYPE(number, dtype) \
  case DType::dtype: return number;
#define GGUF_NO_TYPE(number, name, fix)
#include "formats/gguf/gguf_types.def"
#undef GGUF_TYPE
#undef GGUF_NO_TYPE
    default: return std::nullopt;
  }
}

}  // namespace ingot
