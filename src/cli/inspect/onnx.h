// What `ingot inspect` says about an ONNX model: inputs, outputs, operators, weights. Thread-safety: pure.
#pragma once

#include <string>

#include "ir/graph.h"

namespace ingot::cli {

std::string onnx_text(const Graph& graph, const std::string& path, bool with_tensors);
// One object: format, files, inputs, outputs, operators, nodes, parameters, weight_bytes, tensors.
std::string onnx_json(const Graph& graph, const std::string& path);

}  // namespace ingot::cli
