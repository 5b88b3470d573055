// TypeProto -> Type; serialized values -> Tensor, sequences and optionals included.
// Thread-safety: pure functions.
#pragma once

#include <functional>
#include <string>

#include "formats/onnx/tensors.h"
#include "ir/type.h"

namespace ingot::onnx {

// What a dimension without a number is: number `axis`, named `dim_param` or "".
using NameDim = std::function<Dim(int axis, const std::string& dim_param)>;

// `name` is for messages. Dimensions inside of containers are numbers or unknown: each tensor has its own.
// Errors: kInvalidArgument (unknown element types, ranks, nesting), kUnimplemented (sparse tensors as values).
Result<Type> type_of(const pb::TypeDef& type, const std::string& name, const NameDim& name_dim);

// A value of that type: a container's tensors are its elements. Errors: kInvalidArgument.
Result<Tensor> read_value(const pb::Sequence& value, const Type& type, TensorReader& tensors);
Result<Tensor> read_value(const pb::OptionalValue& value, const Type& type, TensorReader& tensors);
Result<Tensor> read_value(const pb::Map& value, const Type& type, TensorReader& tensors);

}  // namespace ingot::onnx
