#include "formats/gguf/gguf_writer.h"

#include <bit>
#include <cstring>
#include <unordered_set>

#include "base/partial_file.h"
#include "formats/checked_shape.h"
#include "formats/printable.h"

namespace ingot {
namespace {

constexpr uint32_t kVersion = 3;
constexpr uint64_t kAlignmentDefault = 32;
constexpr uint32_t kNoType = UINT32_MAX;

uint64_t round_up(uint64_t n, uint64_t alignment) { return (n + alignment - 1) / alignment * alignment; }

// Appends to a header under construction.
class Buffer {
 public:
  template <class T>
  void number(T value) {
    bytes(std::as_bytes(std::span(&value, 1)));
  }
  void string(std::string_view s) {
    number<uint64_t>(s.size());
    bytes(std::as_bytes(std::span(s)));
  }
  void bytes(std::span<const std::byte> b) { out_.insert(out_.end(), b.begin(), b.end()); }
  void pad_to(uint64_t alignment) { out_.resize(round_up(out_.size(), alignment)); }
  std::vector<std::byte> take() { return std::move(out_); }

 private:
  std::vector<std::byte> out_;
};

}  // namespace

void GgufWriter::add_raw(std::string_view key, GgufValueType type, Bytes raw) {
  entries_.push_back({std::string(key), type, {raw.begin(), raw.end()}});
}

void GgufWriter::add_array(std::string_view key, GgufValueType type, uint64_t count, Bytes raw) {
  Buffer b;
  b.number(static_cast<uint32_t>(type));
  b.number(count);
  b.bytes(raw);
  add_raw(key, GgufValueType::kArray, b.take());
}

void GgufWriter::add_string(std::string_view key, std::string_view value) {
  Buffer b;
  b.string(value);
  add_raw(key, GgufValueType::kString, b.take());
}

void GgufWriter::add_strings(std::string_view key, std::span<const std::string_view> values) {
  Buffer b;
  for (std::string_view v : values) b.string(v);
  add_array(key, GgufValueType::kString, values.size(), b.take());
}

void GgufWriter::add_tensor(std::string_view name, const TensorView& view) {
  add_tensor(name, view.dtype, view.shape,
             [view]() -> Result<Bytes> { return Bytes(static_cast<const std::byte*>(view.data), view.num_bytes()); });
}

void GgufWriter::add_tensor(std::string_view name, DType dtype, const Shape& shape, Producer produce) {
  add_tensor_stream(name, dtype, shape, [produce = std::move(produce)](const Sink& sink) -> Result<void> {
    return sink(INGOT_TRY(produce()));
  });
}

void GgufWriter::add_tensor_stream(std::string_view name, DType dtype, const Shape& shape, Streamer stream) {
  tensors_.push_back(
      {std::string(name), {dtype, shape, nullptr}, gguf_from_dtype(dtype).value_or(kNoType), std::move(stream)});
}

Result<void> GgufWriter::check() const {
  std::unordered_set<std::string_view> seen;
  for (const Entry& e : entries_)
    if (!seen.insert(e.key).second) return invalid("[gguf] metadata key '{}' was added twice", printable(e.key));
  seen.clear();
  for (const Pending& t : tensors_) {
    const std::string name = printable(t.name);
    if (t.name.empty() || !seen.insert(t.name).second)
      return invalid("[gguf] tensor '{}': the name is empty or was added twice", name);
    if (t.type == kNoType)
      return invalid("[gguf] tensor '{}': GGUF has no type for {}", name, dtype_name(t.view.dtype));
    if (t.view.shape.rank() > 4)
      return invalid("[gguf] tensor '{}': rank {} is above GGUF's 4", name, t.view.shape.rank());
    const std::vector<uint64_t> dims(t.view.shape.begin(), t.view.shape.end());
    if (auto ok = checked_view(t.view.dtype, dims); !ok)
      return std::unexpected(ok.error().with_context(fmt::format("[gguf] tensor '{}'", name)));
  }
  return {};
}

Result<uint64_t> GgufWriter::alignment() const {
  for (const Entry& e : entries_) {
    if (e.key != "general.alignment") continue;
    uint32_t value = 0;
    if (e.type == GgufValueType::kU32 && e.raw.size() == sizeof(value))
      std::memcpy(&value, e.raw.data(), sizeof(value));
    if (value < 8 || !std::has_single_bit(value) || value > limits::kTensorAlignmentMax)
      return invalid("[gguf] general.alignment is {}, it must be a u32, a power of two from 8 to {}", value,
                     limits::kTensorAlignmentMax);
    return value;
  }
  return kAlignmentDefault;
}

std::vector<std::byte> GgufWriter::header(uint64_t alignment) const {
  Buffer b;
  b.bytes(std::as_bytes(std::span("GGUF", 4)));
  b.number(kVersion);
  b.number<uint64_t>(tensors_.size());
  b.number<uint64_t>(entries_.size());
  for (const Entry& e : entries_) {
    b.string(e.key);
    b.number(static_cast<uint32_t>(e.type));
    b.bytes(e.raw);
  }
  uint64_t offset = 0;
  for (const Pending& t : tensors_) {
    const Shape& shape = t.view.shape;
    b.string(t.name);
    b.number(static_cast<uint32_t>(shape.rank()));
    for (int i = shape.rank(); i-- > 0;) b.number<uint64_t>(static_cast<uint64_t>(shape[i]));
    b.number(t.type);
    b.number(offset);
    offset += round_up(t.view.num_bytes(), alignment);
  }
  b.pad_to(alignment);
  return b.take();
}

Result<void> GgufWriter::write(const std::string& path) const {
  INGOT_TRY(check());
  const uint64_t align = INGOT_TRY(alignment());
  PartialFile file("gguf", path);
  INGOT_TRY(file.open());
  const std::vector<std::byte> head = header(align);
  if (preamble_) {
    uint64_t data_bytes = 0;
    for (const Pending& t : tensors_) data_bytes += round_up(t.view.num_bytes(), align);
    INGOT_TRY(file.write(preamble_(head, data_bytes)));
  }
  INGOT_TRY(file.write(head));
  const std::vector<std::byte> zeros(align);
  for (const Pending& t : tensors_) {
    uint64_t written = 0;
    INGOT_TRY(t.stream([&](Bytes bytes) -> Result<void> {
      written += bytes.size();
      if (written > t.view.num_bytes()) return {};  // told below
      return file.write(bytes);
    }));
    if (written != t.view.num_bytes())
      return error(Code::kInternal, "[gguf] tensor '{}': {} bytes were produced, {} {} needs {}", printable(t.name),
                   written, dtype_name(t.view.dtype), t.view.shape.to_string(), t.view.num_bytes());
    INGOT_TRY(file.write(std::span(zeros).first(round_up(written, align) - written)));
  }
  return file.commit();
}

}  // namespace ingot
