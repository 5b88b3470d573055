// The protocol's names of element types: "FP32" is f32, "BYTES" are strings. Thread-safety: pure functions.
#pragma once

#include <optional>
#include <string_view>

#include "tensor/dtype.h"

namespace ingot::kserve {

std::optional<DType> dtype_of(std::string_view datatype);
// "" for an element type that the protocol does not have.
std::string_view datatype_of(DType type);
// As model configurations spell it: "TYPE_FP32", "TYPE_STRING".
std::string_view config_type_of(DType type);

}  // namespace ingot::kserve
