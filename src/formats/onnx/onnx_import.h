// ONNX files as graphs: every operator in its newest form, closed subgraphs, initializers without a copy.
//
// Reads IR versions 2 (the first with typed attributes) to 14 and opsets 1 to 28 of the standard domain. Symbolic
// dimensions keep their names. Constants borrow the parsed file or a map of their external file, which the graph keeps
// alive. Limits: 2 GiB of protobuf (larger models use external data), base/limits.h. Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "ir/graph.h"

namespace ingot {

// Errors: kNotFound (the file or an external data file), kUnimplemented (listing every operator that is not
// built, with its nodes), kPermissionDenied (external data outside the model's folder), kInvalidArgument for
// everything that is wrong with the model, naming node and value.
Result<Graph> import_onnx(const std::string& path);

// The same from memory. `folder` is where external data lie; empty: external data are refused.
Result<Graph> import_onnx_bytes(std::span<const std::byte> bytes, const std::string& folder = "");

// A serialized TensorProto, as the test cases of ONNX hold them (input_0.pb).
Result<Tensor> parse_onnx_tensor(std::span<const std::byte> bytes);

// The same for a value of any type: a serialized TensorProto, SequenceProto, OptionalProto or MapProto.
Result<Tensor> parse_onnx_value(std::span<const std::byte> bytes, const Type& type);
// The newest opset version of the standard domain that import_onnx reads.
inline constexpr int64_t kOnnxOpsetMax = 28;
inline constexpr int64_t kOnnxOpsetMin = 1;

}  // namespace ingot
