// Tensor data in the protocol's two forms: JSON arrays (flat or nested) and little-endian bytes.
//
// FP16 and BF16 pass through JSON, too, as numbers. Thread-safety: pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "tensor/tensor.h"

namespace ingot::kserve {

// data: an array of numbers, booleans or strings with as many elements as the shape says, nested or not.
// Errors: kInvalidArgument (count, an element of another type or out of the type's range).
Result<Tensor> tensor_from_json(const boost::json::value& data, DType dtype, const Shape& shape, std::string_view name);

// bytes: exactly the tensor's; BYTES are each led by a 32-bit length. The bytes are copied.
// Errors: kInvalidArgument (too few, too many).
Result<Tensor> tensor_from_bytes(std::string_view bytes, DType dtype, const Shape& shape, std::string_view name);

// Truth values are 0 or 1 from now on: any other byte would be undefined where it is read.
void normalize_bools(Tensor& tensor);

// A flat array. Numbers that JSON lacks (NaN, infinities) become null.
void append_json(std::string& out, const TensorView& tensor);
// Strings with their lengths; other types are not for this (their bytes are what they are).
std::string string_bytes(const TensorView& tensor);

}  // namespace ingot::kserve
