// NumPy's .npy files: one dense tensor, read whole and written whole.
//
// Versions 1 to 3, little endian, C or Fortran order, plain number types and bool; float16 too. bfloat16 and other
// types that NumPy lacks are written as the unsigned integers of their size. Thread-safety: pure functions.
#pragma once

#include <span>
#include <string>

#include "tensor/tensor.h"

namespace ingot {

// Errors: kNotFound, kInvalidArgument (header, type, or a size that is not the file's).
Result<Tensor> read_npy(const std::string& path);
Result<Tensor> parse_npy(std::span<const std::byte> bytes);

// Written beside and renamed, so that no partial file is left. Errors: kUnimplemented for strings and packed types,
// and those of base/partial_file.h.
Result<void> write_npy(const std::string& path, const TensorView& tensor);

}  // namespace ingot
