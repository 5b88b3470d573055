// Outputs of `ingot infer` as files: numbers as .npy, strings as nested JSON lists.
#pragma once

#include <string>

#include "base/status.h"
#include "tensor/tensor.h"

namespace ingot::cli {

// The file of an output: characters that a path would misread become '_'.
std::string output_file_name(std::string output, DType dtype);

// Writes `t` into the folder under that name. Errors: a type that .npy has no name for, a file that cannot be written.
Result<void> write_output(const std::string& folder, const std::string& output, const TensorView& t);

}  // namespace ingot::cli
