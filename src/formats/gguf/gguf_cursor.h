// A reading position in a GGUF file; every step is checked against the end of the bytes.
// Used by gguf_parser.cc only. Ownership: strings are views into the bytes. Thread-safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/limits.h"
#include "base/status.h"

namespace ingot {

class GgufCursor {
 public:
  GgufCursor(std::span<const std::byte> bytes, std::string_view path) : bytes_(bytes), path_(path) {}

  uint64_t position() const { return position_; }
  uint64_t remaining() const { return bytes_.size() - position_; }
  std::string_view path() const { return path_; }
  std::span<const std::byte> from(uint64_t start) const { return bytes_.subspan(start, position_ - start); }

  // The next `n` bytes.
  Result<std::span<const std::byte>> take(uint64_t n, std::string_view what) {
    if (n > remaining()) return truncated(n, what);
    const auto out = bytes_.subspan(position_, n);
    position_ += n;
    return out;
  }

  template <class T>
  Result<T> number(std::string_view what) {
    if (sizeof(T) > remaining()) return truncated(sizeof(T), what);
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }

  // A 64-bit length and that many bytes.
  Result<std::string_view> string(std::string_view what, uint64_t bytes_max = limits::kStringBytesMax) {
    const uint64_t length = INGOT_TRY(number<uint64_t>(what));
    if (length > bytes_max)
      return invalid("[gguf] '{}': {} at byte {} has a length of {}, the limit is {}: the file is corrupt", path_, what,
                     position_ - 8, length, bytes_max);
    const auto raw = INGOT_TRY(take(length, what));
    return std::string_view(reinterpret_cast<const char*>(raw.data()), raw.size());
  }

 private:
  std::unexpected<Status> truncated(uint64_t n, std::string_view what) const {
    return error(Code::kDataLoss,
                 "[gguf] '{}': {} at byte {} needs {} bytes and passes the end of the file ({}): "
                 "the file is truncated or corrupt, download it again",
                 path_, what, position_, n, bytes_.size());
  }

  std::span<const std::byte> bytes_;
  uint64_t position_ = 0;
  std::string_view path_;
};

}  // namespace ingot
