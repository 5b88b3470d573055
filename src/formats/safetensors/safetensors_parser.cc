#include "formats/safetensors/safetensors_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/value.hpp>
#include <cstring>
#include <optional>
#include <tuple>

#include "base/limits.h"
#include "formats/checked_shape.h"
#include "formats/json.h"
#include "formats/printable.h"

namespace ingot {
namespace {

namespace bj = boost::json;

constexpr uint64_t kLengthBytes = 8;

std::optional<DType> dtype_from_safetensors(std::string_view name) {
  static constexpr std::pair<std::string_view, DType> kNames[] = {
      {"F64", DType::kF64},        {"F32", DType::kF32},
      {"F16", DType::kF16},        {"BF16", DType::kBF16},
      {"I64", DType::kI64},        {"I32", DType::kI32},
      {"I16", DType::kI16},        {"I8", DType::kI8},
      {"U64", DType::kU64},        {"U32", DType::kU32},
      {"U16", DType::kU16},        {"U8", DType::kU8},
      {"BOOL", DType::kBool},      {"F8_E4M3", DType::kF8E4M3FN},
      {"F8_E5M2", DType::kF8E5M2}, {"F8_E8M0", DType::kF8E8M0},
      {"C64", DType::kC64},        {"F8_E4M3FNUZ", DType::kF8E4M3FNUZ},
      {"F4", DType::kF4E2M1},      {"F8_E5M2FNUZ", DType::kF8E5M2FNUZ},
  };
  for (const auto& [n, type] : kNames)
    if (n == name) return type;
  return std::nullopt;
}

std::optional<uint64_t> as_unsigned(const bj::value& v) {
  if (const auto* i = v.if_int64(); i && *i >= 0) return static_cast<uint64_t>(*i);
  if (const auto* u = v.if_uint64()) return *u;
  return std::nullopt;
}

// "shape": [2, 3]; a bare reason on error.
Result<std::vector<uint64_t>> read_dims(const bj::object& entry) {
  const bj::value* shape = entry.if_contains("shape");
  if (!shape || !shape->is_array()) return invalid("'shape' is missing or no array");
  const bj::array& array = shape->get_array();
  if (array.size() > static_cast<size_t>(limits::kRankMax))
    return invalid("rank {} is above the limit {}", array.size(), limits::kRankMax);
  std::vector<uint64_t> dims;
  for (const bj::value& v : array) {
    const auto d = as_unsigned(v);
    if (!d) return invalid("dimension {} of 'shape' is no integer >= 0", dims.size());
    dims.push_back(*d);
  }
  return dims;
}

struct Range {
  uint64_t begin, end;
};

Result<Range> read_range(const bj::object& entry, uint64_t data_bytes) {
  const bj::value* v = entry.if_contains("data_offsets");
  const bj::array* array = v ? v->if_array() : nullptr;
  const auto begin = array && array->size() == 2 ? as_unsigned((*array)[0]) : std::nullopt;
  const auto end = array && array->size() == 2 ? as_unsigned((*array)[1]) : std::nullopt;
  if (!begin || !end || *begin > *end) return invalid("'data_offsets' is no pair [begin, end]");
  if (*end > data_bytes)
    return error(Code::kDataLoss,
                 "data offsets {} to {} pass the end of the data ({} bytes): the file is truncated or corrupt, "
                 "download it again",
                 *begin, *end, data_bytes);
  return Range{*begin, *end};
}

// One entry of the header; errors are bare reasons.
Result<SafetensorsTensor> read_tensor(std::string_view name, const bj::value& value, uint64_t data_start,
                                      uint64_t data_bytes) {
  const bj::object* entry = value.if_object();
  if (!entry) return invalid("its header entry is no object");
  const bj::value* type = entry->if_contains("dtype");
  if (!type || !type->is_string()) return invalid("'dtype' is missing or no string");
  const std::string_view type_name(type->get_string());
  const auto dtype = dtype_from_safetensors(type_name);
  if (!dtype) return invalid("dtype '{}' cannot be read", printable(type_name));
  const std::vector<uint64_t> dims = INGOT_TRY(read_dims(*entry));
  const TensorView view = INGOT_TRY(checked_view(*dtype, dims));
  const Range range = INGOT_TRY(read_range(*entry, data_bytes));
  if (range.end - range.begin != view.num_bytes())
    return invalid("data offsets {} to {} hold {} bytes, {} {} needs {}", range.begin, range.end,
                   range.end - range.begin, type_name, view.shape.to_string(), view.num_bytes());
  return SafetensorsTensor{std::string(name), view, data_start + range.begin};
}

Result<void> read_metadata(const bj::value& value, std::string_view path, SafetensorsFile& file) {
  const bj::object* object = value.if_object();
  if (!object) return invalid("[safetensors] '{}': '__metadata__' is no object", path);
  for (const auto& [key, v] : *object) {
    const bj::string* s = v.if_string();
    if (!s) return invalid("[safetensors] '{}': __metadata__ '{}' is no string", path, printable(key));
    file.metadata.emplace_back(key, std::string(*s));
  }
  return {};
}

// The data is one gapless run of tensors.
Result<void> check_layout(const SafetensorsFile& file, uint64_t data_start, uint64_t size, std::string_view path) {
  uint64_t end = data_start;
  for (const SafetensorsTensor& t : file.tensors) {
    if (t.offset != end)
      return invalid(
          "[safetensors] '{}': tensor '{}' ({} bytes) begins at byte {} of {}, the one before ends at {}: "
          "tensors {}",
          path, printable(t.name), t.view.num_bytes(), t.offset, size, end,
          t.offset < end ? "overlap" : "leave a hole");
    end = t.offset + t.view.num_bytes();
  }
  if (end != size)
    return invalid("[safetensors] '{}': the tensors end at byte {}, the file at {}: it is corrupt", path, end, size);
  return {};
}

}  // namespace

Result<SafetensorsFile> parse_safetensors(std::span<const std::byte> bytes, std::string_view path) {
  uint64_t header_bytes = 0;
  if (bytes.size() < kLengthBytes + 2)
    return error(Code::kDataLoss, "[safetensors] '{}': {} bytes are too few for a header: download it again", path,
                 bytes.size());
  std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
  if (header_bytes > limits::kSafetensorsHeaderBytesMax)
    return invalid("[safetensors] '{}': a header of {} bytes, the limit is {}: no safetensors file or corrupt", path,
                   header_bytes, limits::kSafetensorsHeaderBytesMax);
  if (header_bytes > bytes.size() - kLengthBytes)
    return error(Code::kDataLoss,
                 "[safetensors] '{}': a header of {} bytes passes the end of the file ({}): it is truncated, download "
                 "it again",
                 path, header_bytes, bytes.size());
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, header_bytes);
  const bj::value header = INGOT_TRY(parse_json(text, fmt::format("[safetensors] '{}': header", path)));
  if (!header.is_object()) return invalid("[safetensors] '{}': the header is no JSON object", path);
  const bj::object& object = header.get_object();
  if (object.size() > limits::kTensorsMax)
    return invalid("[safetensors] '{}': {} tensors, the limit is {}", path, object.size(), limits::kTensorsMax);

  SafetensorsFile file;
  const uint64_t data_start = kLengthBytes + header_bytes;
  for (const auto& [key, value] : object) {
    const std::string_view name(key);
    if (name == "__metadata__") {
      INGOT_TRY(read_metadata(value, path, file));
      continue;
    }
    if (name.empty() || name.size() > limits::kTensorNameBytesMax)
      return invalid("[safetensors] '{}': a tensor's name has {} bytes, expected 1 to {}", path, name.size(),
                     limits::kTensorNameBytesMax);
    auto tensor = read_tensor(name, value, data_start, bytes.size() - data_start);
    if (!tensor)
      return std::unexpected(
          tensor.error().with_context(fmt::format("[safetensors] '{}': tensor '{}'", path, printable(name))));
    file.tensors.push_back(std::move(*tensor));
  }
  std::sort(file.tensors.begin(), file.tensors.end(), [](const auto& a, const auto& b) {
    return std::tuple(a.offset, a.view.num_bytes(), std::string_view(a.name)) <
           std::tuple(b.offset, b.view.num_bytes(), std::string_view(b.name));
  });
  INGOT_TRY(check_layout(file, data_start, bytes.size(), path));
  return file;
}

}  // namespace ingot
