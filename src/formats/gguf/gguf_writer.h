// Writes a GGUF v3 file: metadata and tensors in the order they were added.
// Feeds tests and quantization. A tensor's bytes are asked for only when their turn comes, so one tensor
// at a time need be in memory. Ownership: keys and values are copied; tensor bytes belong to the caller
// until write() returns. Thread-safety: none.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "formats/gguf/gguf_parser.h"
#include "formats/gguf/gguf_types.h"
#include "tensor/tensor.h"

namespace ingot {

// The stored type number of a C++ number.
template <class T>
consteval GgufValueType gguf_value_type() {
  if constexpr (std::same_as<T, uint8_t>) return GgufValueType::kU8;
  if constexpr (std::same_as<T, int8_t>) return GgufValueType::kI8;
  if constexpr (std::same_as<T, uint16_t>) return GgufValueType::kU16;
  if constexpr (std::same_as<T, int16_t>) return GgufValueType::kI16;
  if constexpr (std::same_as<T, uint32_t>) return GgufValueType::kU32;
  if constexpr (std::same_as<T, int32_t>) return GgufValueType::kI32;
  if constexpr (std::same_as<T, uint64_t>) return GgufValueType::kU64;
  if constexpr (std::same_as<T, int64_t>) return GgufValueType::kI64;
  if constexpr (std::same_as<T, float>) return GgufValueType::kF32;
  if constexpr (std::same_as<T, double>) return GgufValueType::kF64;
  if constexpr (std::same_as<T, bool>) return GgufValueType::kBool;
}

template <class T>
concept GgufNumber = std::integral<T> || std::same_as<T, float> || std::same_as<T, double>;

class GgufWriter {
 public:
  using Bytes = std::span<const std::byte>;
  using Producer = std::function<Result<Bytes>()>;
  using Sink = std::function<Result<void>(Bytes)>;
  using Streamer = std::function<Result<void>(const Sink&)>;

  // The type of the number is the type in the file: add_number("a.b", uint32_t{3}).
  template <GgufNumber T>
  void add_number(std::string_view key, T value) {
    add_raw(key, gguf_value_type<T>(), std::as_bytes(std::span(&value, 1)));
  }
  template <GgufNumber T>
  void add_numbers(std::string_view key, std::span<const T> values) {
    add_array(key, gguf_value_type<T>(), values.size(), std::as_bytes(values));
  }
  void add_string(std::string_view key, std::string_view value);
  void add_strings(std::string_view key, std::span<const std::string_view> values);
  // An entry of another file as it stands.
  void add_entry(const GgufEntry& entry) { add_raw(entry.key, entry.type, entry.raw); }

  void add_tensor(std::string_view name, const TensorView& view);
  // `produce` is called once, from write(), and must give exactly the bytes of dtype and shape.
  void add_tensor(std::string_view name, DType dtype, const Shape& shape, Producer produce);
  // The same in pieces: `stream` hands them to the sink one after the other.
  void add_tensor_stream(std::string_view name, DType dtype, const Shape& shape, Streamer stream);

  // Bytes before the document, made from its header (up to the tensors' data) and the data's size.
  using Preamble = std::function<std::vector<std::byte>(Bytes header, uint64_t data_bytes)>;
  void set_preamble(Preamble preamble) { preamble_ = std::move(preamble); }

  // Writes beside `path` and renames at the end: afterwards there is the whole file or what was there before.
  // general.alignment, if added (u32), is obeyed.
  // Errors: kInvalidArgument (a name twice, a type that GGUF lacks); kResourceExhausted (disk full);
  // kPermissionDenied, kNotFound, kUnavailable; whatever a producer returned.
  Result<void> write(const std::string& path) const;

 private:
  struct Entry {
    std::string key;
    GgufValueType type;
    std::vector<std::byte> raw;
  };
  struct Pending {
    std::string name;
    TensorView view;  // without data
    uint32_t type;
    Streamer stream;
  };
  void add_raw(std::string_view key, GgufValueType type, Bytes raw);
  void add_array(std::string_view key, GgufValueType type, uint64_t count, Bytes raw);
  Result<void> check() const;
  Result<uint64_t> alignment() const;
  std::vector<std::byte> header(uint64_t alignment) const;

  std::vector<Entry> entries_;
  std::vector<Pending> tensors_;
  Preamble preamble_;
};

}  // namespace ingot
