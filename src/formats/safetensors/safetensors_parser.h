// Parses the bytes of one .safetensors file: an 8-byte length, a JSON header, then the data.
// Feeds hf/hf_source.h. Ownership: names are owned, data is not touched. Thread-safety: pure.
// Limits: base/limits.h, section formats. Source: the safetensors README and its Rust reader, which also
// refuses holes, overlaps and bytes after the last tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "tensor/tensor.h"

namespace ingot {

struct SafetensorsTensor {
  std::string name;
  TensorView view;  // without data
  uint64_t offset;  // from the start of the file; may be unaligned for the dtype
};

struct SafetensorsFile {
  std::vector<std::pair<std::string, std::string>> metadata;  // __metadata__
  std::vector<SafetensorsTensor> tensors;                     // in the order of their data
};

//   path: for messages only.
// Errors: kInvalidArgument; kDataLoss if the file ends too early.
Result<SafetensorsFile> parse_safetensors(std::span<const std::byte> bytes, std::string_view path);

}  // namespace ingot
