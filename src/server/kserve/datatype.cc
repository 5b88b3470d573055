#include "server/kserve/datatype.h"

#include <array>

namespace ingot::kserve {
namespace {

struct Name {
  DType type;
  std::string_view protocol, config;
};
constexpr std::array kNames = {Name{DType::kBool, "BOOL", "TYPE_BOOL"},      Name{DType::kU8, "UINT8", "TYPE_UINT8"},
                               Name{DType::kU16, "UINT16", "TYPE_UINT16"},   Name{DType::kU32, "UINT32", "TYPE_UINT32"},
                               Name{DType::kU64, "UINT64", "TYPE_UINT64"},   Name{DType::kI8, "INT8", "TYPE_INT8"},
                               Name{DType::kI16, "INT16", "TYPE_INT16"},     Name{DType::kI32, "INT32", "TYPE_INT32"},
                               Name{DType::kI64, "INT64", "TYPE_INT64"},     Name{DType::kF16, "FP16", "TYPE_FP16"},
                               Name{DType::kF32, "FP32", "TYPE_FP32"},       Name{DType::kF64, "FP64", "TYPE_FP64"},
                               Name{DType::kString, "BYTES", "TYPE_STRING"}, Name{DType::kBF16, "BF16", "TYPE_BF16"}};

}  // namespace

std::optional<DType> dtype_of(std::string_view datatype) {
  for (const Name& n : kNames)
    if (n.protocol == datatype) return n.type;
  return {};
}

std::string_view datatype_of(DType type) {
  for (const Name& n : kNames)
    if (n.type == type) return n.protocol;
  return {};
}

std::string_view config_type_of(DType type) {
  for (const Name& n : kNames)
    if (n.type == type) return n.config;
  return "TYPE_INVALID";
}

}  // namespace ingot::kserve
