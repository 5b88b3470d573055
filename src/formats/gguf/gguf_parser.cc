#include "formats/gguf/gguf_parser.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <optional>
#include <unordered_set>

#include "formats/checked_shape.h"
#include "formats/gguf/gguf_cursor.h"
#include "formats/printable.h"

namespace ingot {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF numbers are read as they stand");

constexpr uint64_t kRankMax = 4;
// The smallest entry: an empty key, a type and one byte. The smallest tensor: an empty name, rank 0.
constexpr uint64_t kEntryBytesMin = 8 + 4 + 1;
constexpr uint64_t kTensorBytesMin = 8 + 4 + 4 + 8;

template <class Stored, class Out>
std::vector<Out> widen(std::span<const std::byte> raw) {
  std::vector<Out> out(raw.size() / sizeof(Stored));
  for (size_t i = 0; i < out.size(); ++i) {
    Stored value;
    std::memcpy(&value, raw.data() + i * sizeof(Stored), sizeof(Stored));
    out[i] = static_cast<Out>(value);
  }
  return out;
}

class Parser {
 public:
  Parser(std::span<const std::byte> bytes, std::string_view path)
      : cursor_(bytes, path), size_(bytes.size()), path_(path) {}

  Result<GgufFile> parse();

 private:
  Result<void> read_header();
  Result<void> read_metadata();
  Result<MetaValue> read_value(GgufValueType type, std::string_view key);
  Result<MetaValue> read_array(std::string_view key);
  Result<MetaValue> read_strings(uint64_t count, std::string_view key);
  Result<void> read_alignment();
  Result<void> read_tensors();
  Result<GgufTensor> read_tensor();
  Result<void> place_tensors();
  Result<void> refuse_overlaps() const;

  GgufCursor cursor_;
  uint64_t size_;
  std::string_view path_;
  uint64_t num_entries_ = 0, num_tensors_ = 0;
  uint64_t array_elements_left_ = limits::kArrayElementsMax;  // for all arrays together
  GgufFile file_;
};

Result<GgufFile> Parser::parse() {
  INGOT_TRY(read_header());
  INGOT_TRY(read_metadata());
  INGOT_TRY(read_alignment());
  INGOT_TRY(read_tensors());
  INGOT_TRY(place_tensors());
  INGOT_TRY(refuse_overlaps());
  return std::move(file_);
}

Result<void> Parser::read_header() {
  const auto magic = INGOT_TRY(cursor_.take(4, "the magic"));
  if (std::memcmp(magic.data(), "GGUF", 4) != 0) return invalid("[gguf] '{}': does not start with 'GGUF'", path_);
  file_.version = INGOT_TRY(cursor_.number<uint32_t>("the version"));
  if (file_.version != 0 && (file_.version & 0xFFFF) == 0)
    return invalid("[gguf] '{}': big endian, only little endian is read: convert it with gguf-convert-endian", path_);
  if (file_.version == 1)
    return invalid("[gguf] '{}': version 1 is not 2 or 3: convert the original model again", path_);
  if (file_.version != 2 && file_.version != 3)
    return invalid("[gguf] '{}': version {} is not 2 or 3: the file is corrupt or newer than this program", path_,
                   file_.version);
  num_tensors_ = INGOT_TRY(cursor_.number<uint64_t>("the number of tensors"));
  num_entries_ = INGOT_TRY(cursor_.number<uint64_t>("the number of metadata entries"));
  if (num_tensors_ > limits::kTensorsMax)
    return invalid("[gguf] '{}': {} tensors, the limit is {}: the file is corrupt", path_, num_tensors_,
                   limits::kTensorsMax);
  if (num_entries_ > limits::kMetadataEntriesMax)
    return invalid("[gguf] '{}': {} metadata entries, the limit is {}: the file is corrupt", path_, num_entries_,
                   limits::kMetadataEntriesMax);
  const uint64_t bytes_min = num_entries_ * kEntryBytesMin + num_tensors_ * kTensorBytesMin;
  if (bytes_min > cursor_.remaining())
    return error(Code::kDataLoss,
                 "[gguf] '{}': {} metadata entries and {} tensors need at least {} bytes, the file has {} left: "
                 "it is truncated or corrupt, download it again",
                 path_, num_entries_, num_tensors_, bytes_min, cursor_.remaining());
  return {};
}

Result<void> Parser::read_metadata() {
  file_.metadata.reserve(num_entries_);
  file_.entries.reserve(num_entries_);
  std::unordered_set<std::string_view> seen;
  seen.reserve(num_entries_);
  for (uint64_t i = 0; i < num_entries_; ++i) {
    const auto key = INGOT_TRY(cursor_.string("a metadata key", limits::kTensorNameBytesMax));
    if (!seen.insert(key).second)
      return invalid("[gguf] '{}': metadata key '{}' occurs twice: the file is corrupt", path_, printable(key));
    const auto type = static_cast<GgufValueType>(INGOT_TRY(cursor_.number<uint32_t>("a metadata type")));
    const uint64_t start = cursor_.position();
    MetaValue value = INGOT_TRY(read_value(type, key));
    file_.metadata.emplace_back(key, std::move(value));
    file_.entries.push_back({key, type, cursor_.from(start)});
  }
  return {};
}

Result<MetaValue> Parser::read_value(GgufValueType type, std::string_view key) {
  switch (type) {
    case GgufValueType::kU8: return int64_t{INGOT_TRY(cursor_.number<uint8_t>("a u8"))};
    case GgufValueType::kI8: return int64_t{INGOT_TRY(cursor_.number<int8_t>("an i8"))};
    case GgufValueType::kU16: return int64_t{INGOT_TRY(cursor_.number<uint16_t>("a u16"))};
    case GgufValueType::kI16: return int64_t{INGOT_TRY(cursor_.number<int16_t>("an i16"))};
    case GgufValueType::kU32: return int64_t{INGOT_TRY(cursor_.number<uint32_t>("a u32"))};
    case GgufValueType::kI32: return int64_t{INGOT_TRY(cursor_.number<int32_t>("an i32"))};
    case GgufValueType::kI64: return INGOT_TRY(cursor_.number<int64_t>("an i64"));
    case GgufValueType::kU64: {
      const auto value = INGOT_TRY(cursor_.number<uint64_t>("a u64"));
      return value > INT64_MAX ? MetaValue(value) : MetaValue(static_cast<int64_t>(value));
    }
    case GgufValueType::kF32: return double{INGOT_TRY(cursor_.number<float>("an f32"))};
    case GgufValueType::kF64: return INGOT_TRY(cursor_.number<double>("an f64"));
    case GgufValueType::kBool: {
      const auto value = INGOT_TRY(cursor_.number<uint8_t>("a bool"));
      if (value > 1)
        return invalid("[gguf] '{}': metadata '{}': {} is no boolean (0 or 1): the file is corrupt", path_,
                       printable(key), value);
      return value == 1;
    }
    case GgufValueType::kString: return INGOT_TRY(cursor_.string("a metadata string"));
    case GgufValueType::kArray: return read_array(key);
  }
  return invalid("[gguf] '{}': metadata '{}': value type {} is not known: the file is corrupt", path_, printable(key),
                 static_cast<uint32_t>(type));
}

Result<MetaValue> Parser::read_array(std::string_view key) {
  const auto type = static_cast<GgufValueType>(INGOT_TRY(cursor_.number<uint32_t>("an array's type")));
  const auto count = INGOT_TRY(cursor_.number<uint64_t>("an array's length"));
  if (type == GgufValueType::kArray)
    return invalid("[gguf] '{}': metadata '{}': an array of arrays cannot be read", path_, printable(key));
  if (count > array_elements_left_)
    return invalid("[gguf] '{}': metadata '{}': {} elements, the limit for all arrays of a file is {}", path_,
                   printable(key), count, limits::kArrayElementsMax);
  array_elements_left_ -= count;
  if (type == GgufValueType::kString) return read_strings(count, key);
  const uint32_t bytes = gguf_value_bytes(type);
  if (!bytes)
    return invalid("[gguf] '{}': metadata '{}': element type {} is not known: the file is corrupt", path_,
                   printable(key), static_cast<uint32_t>(type));
  const auto raw = INGOT_TRY(cursor_.take(count * bytes, "a metadata array"));
  switch (type) {
    case GgufValueType::kU8: return widen<uint8_t, int64_t>(raw);
    case GgufValueType::kI8: return widen<int8_t, int64_t>(raw);
    case GgufValueType::kU16: return widen<uint16_t, int64_t>(raw);
    case GgufValueType::kI16: return widen<int16_t, int64_t>(raw);
    case GgufValueType::kU32: return widen<uint32_t, int64_t>(raw);
    case GgufValueType::kI32: return widen<int32_t, int64_t>(raw);
    case GgufValueType::kI64: return widen<int64_t, int64_t>(raw);
    case GgufValueType::kF32: return widen<float, double>(raw);
    case GgufValueType::kF64: return widen<double, double>(raw);
    case GgufValueType::kU64: {
      auto wide = widen<uint64_t, uint64_t>(raw);
      if (std::any_of(wide.begin(), wide.end(), [](uint64_t v) { return v > INT64_MAX; })) return wide;
      return widen<uint64_t, int64_t>(raw);
    }
    default: break;
  }
  if (std::any_of(raw.begin(), raw.end(), [](std::byte b) { return b > std::byte{1}; }))
    return invalid("[gguf] '{}': metadata '{}': a value that is no boolean (0 or 1): the file is corrupt", path_,
                   printable(key));
  return widen<uint8_t, bool>(raw);
}

Result<MetaValue> Parser::read_strings(uint64_t count, std::string_view key) {
  if (count > cursor_.remaining() / 8)
    return error(Code::kDataLoss,
                 "[gguf] '{}': metadata '{}': {} strings do not fit into the {} bytes left: the file is truncated or "
                 "corrupt, download it again",
                 path_, printable(key), count, cursor_.remaining());
  std::vector<std::string_view> out;
  out.reserve(count);
  for (uint64_t i = 0; i < count; ++i) out.push_back(INGOT_TRY(cursor_.string("an array's string")));
  return out;
}

Result<void> Parser::read_alignment() {
  for (const auto& [key, value] : file_.metadata) {
    if (key != "general.alignment") continue;
    const auto* alignment = std::get_if<int64_t>(&value);
    // Below 8 a tensor's numbers would not be aligned in memory either.
    const bool ok = alignment && *alignment >= 8 && std::has_single_bit(static_cast<uint64_t>(*alignment)) &&
                    static_cast<uint64_t>(*alignment) <= limits::kTensorAlignmentMax;
    if (!ok)
      return invalid("[gguf] '{}': general.alignment is {}, it must be a power of two from 8 to {}", path_,
                     alignment ? std::to_string(*alignment) : "no integer", limits::kTensorAlignmentMax);
    file_.alignment = static_cast<uint64_t>(*alignment);
  }
  return {};
}

Result<void> Parser::read_tensors() {
  file_.tensors.reserve(num_tensors_);
  std::unordered_set<std::string_view> seen;
  seen.reserve(num_tensors_);
  for (uint64_t i = 0; i < num_tensors_; ++i) {
    GgufTensor tensor = INGOT_TRY(read_tensor());
    if (!seen.insert(tensor.name).second)
      return invalid("[gguf] '{}': tensor '{}' occurs twice: the file is corrupt", path_, printable(tensor.name));
    file_.tensors.push_back(tensor);
  }
  return {};
}

Result<GgufTensor> Parser::read_tensor() {
  GgufTensor out;
  out.name = INGOT_TRY(cursor_.string("a tensor's name", limits::kTensorNameBytesMax));
  if (out.name.empty())
    return invalid("[gguf] '{}': the tensor at byte {} has no name: the file is corrupt", path_, cursor_.position());
  const auto rank = INGOT_TRY(cursor_.number<uint32_t>("a tensor's rank"));
  if (rank > kRankMax)
    return invalid("[gguf] '{}': tensor '{}': rank {} is above {}: the file is corrupt", path_, printable(out.name),
                   rank, kRankMax);
  uint64_t dims[kRankMax];
  // GGUF writes the innermost dimension first.
  for (uint32_t i = rank; i-- > 0;) dims[i] = INGOT_TRY(cursor_.number<uint64_t>("a tensor's dimension"));
  const auto type = INGOT_TRY(cursor_.number<uint32_t>("a tensor's type"));
  out.offset = INGOT_TRY(cursor_.number<uint64_t>("a tensor's offset"));
  const auto failed = [&](const Status& status) {
    return std::unexpected(status.with_context(fmt::format("[gguf] '{}': tensor '{}'", path_, printable(out.name))));
  };
  const auto dtype = dtype_from_gguf(type);
  if (!dtype) return failed(dtype.error());
  const auto view = checked_view(*dtype, std::span<const uint64_t>(dims, rank));
  if (!view) return failed(view.error());
  out.view = *view;
  return out;
}

// Turns offsets into the data section into offsets from the file's start, and checks them.
Result<void> Parser::place_tensors() {
  const uint64_t end_of_header = cursor_.position();
  file_.data_offset = (end_of_header + file_.alignment - 1) / file_.alignment * file_.alignment;
  for (GgufTensor& t : file_.tensors) {
    const uint64_t bytes = t.view.num_bytes();
    if (t.offset % file_.alignment)
      return invalid("[gguf] '{}': tensor '{}': offset {} ({} bytes) is no multiple of the alignment {}: corrupt",
                     path_, printable(t.name), t.offset, bytes, file_.alignment);
    const uint64_t available = size_ > file_.data_offset ? size_ - file_.data_offset : 0;
    if (t.offset > available || bytes > available - t.offset)
      return error(Code::kDataLoss,
                   "[gguf] '{}': tensor '{}': data at {} + offset {} + {} bytes passes the end of the file ({}): "
                   "it is truncated or corrupt, download it again",
                   path_, printable(t.name), file_.data_offset, t.offset, bytes, size_);
    t.offset += file_.data_offset;
  }
  return {};
}

Result<void> Parser::refuse_overlaps() const {
  std::vector<const GgufTensor*> order;
  order.reserve(file_.tensors.size());
  for (const GgufTensor& t : file_.tensors)
    if (t.view.num_bytes()) order.push_back(&t);
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < order.size(); ++i) {
    const GgufTensor &a = *order[i - 1], &b = *order[i];
    if (a.offset + a.view.num_bytes() > b.offset)
      return invalid(
          "[gguf] '{}': tensor '{}' (offset {}, {} bytes) overlaps tensor '{}' (offset {}, {} bytes) in a "
          "file of {} bytes: it is corrupt",
          path_, printable(a.name), a.offset, a.view.num_bytes(), printable(b.name), b.offset, b.view.num_bytes(),
          size_);
  }
  return {};
}

}  // namespace

Result<GgufFile> parse_gguf(std::span<const std::byte> bytes, std::string_view path) {
  return Parser(bytes, path).parse();
}

}  // namespace ingot
