// Parses the bytes of one GGUF file (v2, v3, little endian) without copying them.
// Feeds gguf_source.h (which maps files and joins splits) and gguf_writer.h (which copies raw entries).
// Ownership: every view points into `bytes`. Thread-safety: pure. Limits: base/limits.h, section formats;
// memory stays within a small multiple of the file's size whatever it claims.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "formats/gguf/gguf_types.h"
#include "formats/source.h"

namespace ingot {

struct GgufEntry {
  std::string_view key;
  GgufValueType type;
  std::span<const std::byte> raw;  // the value as stored, after its type number
};

struct GgufTensor {
  std::string_view name;
  TensorView view;
  uint64_t offset;  // from the start of the file
};

struct GgufFile {
  uint32_t version = 0;
  uint64_t alignment = 32;
  uint64_t data_offset = 0;
  std::vector<std::pair<std::string_view, MetaValue>> metadata;
  std::vector<GgufEntry> entries;  // the same, as stored
  std::vector<GgufTensor> tensors;
};

//   path: for messages only.
// Errors: kInvalidArgument; kDataLoss if the file ends too early.
Result<GgufFile> parse_gguf(std::span<const std::byte> bytes, std::string_view path);

}  // namespace ingot
