// NumPy's .npz files: a zip archive of .npy files, stored or deflated, read whole.
//
// Limits: kNpzArraysMax arrays, kNpzBytesMax bytes of one once inflated. Thread-safety: pure functions.
#pragma once

#include <map>
#include <span>
#include <string>

#include "tensor/tensor.h"

namespace ingot {

inline constexpr uint64_t kNpzArraysMax = 4096, kNpzBytesMax = uint64_t{1} << 34;

// The arrays by name, without ".npy". Errors: those of parse_npy, naming the array; kDataLoss (a damaged archive),
// kResourceExhausted (a limit, or memory).
Result<std::map<std::string, Tensor>> read_npz(const std::string& path);
Result<std::map<std::string, Tensor>> parse_npz(std::span<const std::byte> bytes);

}  // namespace ingot
