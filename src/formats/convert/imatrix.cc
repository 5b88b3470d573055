#include "formats/convert/imatrix.h"

#include <cmath>
#include <cstring>

#include "base/limits.h"
#include "base/mapped_file.h"
#include "formats/gguf/gguf_cursor.h"
#include "formats/gguf/gguf_parser.h"
#include "formats/printable.h"

namespace ingot::convert {
namespace {

constexpr std::string_view kSums = ".in_sum2", kCounts = ".counts";

Result<void> check_finite(std::string_view path, std::string_view name, const std::vector<float>& values) {
  for (size_t i = 0; i < values.size(); ++i)
    if (!(values[i] >= 0) || std::isinf(values[i]))
      return invalid("[imatrix] '{}': entry '{}' has {} at {}; it must be finite and not negative", path,
                     printable(name), values[i], i);
  return {};
}

std::vector<float> floats_of(std::span<const std::byte> bytes) {
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), out.size() * sizeof(float));
  return out;
}

Result<Imatrix> parse_gguf_form(std::span<const std::byte> bytes, std::string_view path) {
  const GgufFile file = INGOT_TRY(parse_gguf(bytes, path));
  Imatrix out;
  for (const auto& [key, value] : file.metadata) {
    if (key == "imatrix.datasets")
      if (const auto* names = std::get_if<std::vector<std::string_view>>(&value); names && !names->empty())
        out.dataset = names->front();
    if (key == "imatrix.chunk_count")
      if (const auto* count = std::get_if<int64_t>(&value)) out.chunks = *count;
  }
  std::unordered_map<std::string_view, const GgufTensor*> tensors;
  for (const GgufTensor& t : file.tensors) tensors[t.name] = &t;
  const auto values_of = [&](const GgufTensor& t) { return floats_of(bytes.subspan(t.offset, t.view.num_bytes())); };
  for (const GgufTensor& t : file.tensors) {
    if (!t.name.ends_with(kSums)) continue;
    const std::string name(t.name.substr(0, t.name.size() - kSums.size()));
    const auto counts = tensors.find(name + std::string(kCounts));
    if (counts == tensors.end() || t.view.dtype != DType::kF32 || counts->second->view.dtype != DType::kF32)
      return invalid("[imatrix] '{}': '{}' needs f32 sums and f32 '{}{}' beside them", path, printable(t.name),
                     printable(name), kCounts);
    std::vector<float> sums = values_of(t);
    const std::vector<float> tokens = values_of(*counts->second);
    if (tokens.empty() || sums.empty() || sums.size() % tokens.size() != 0)
      return invalid("[imatrix] '{}': '{}' has {} sums for {} counts", path, printable(t.name), sums.size(),
                     tokens.size());
    const size_t columns = sums.size() / tokens.size();
    for (size_t i = 0; i < sums.size(); ++i)  // an expert that was never asked weighs all alike
      sums[i] = tokens[i / columns] > 0 ? sums[i] / std::round(tokens[i / columns]) : 1;
    INGOT_TRY(check_finite(path, name, sums));
    out.weights.emplace(name, std::move(sums));
  }
  if (out.weights.empty()) return invalid("[imatrix] '{}': a GGUF file without a single '*{}' tensor", path, kSums);
  return out;
}

// i32 number of entries; each: i32 length, name, i32 calls, i32 number of values, f32 values (means times calls);
// at the end perhaps: i32 chunks, i32 length, name of the text.
Result<Imatrix> parse_old_form(std::span<const std::byte> bytes, std::string_view path) {
  GgufCursor in(bytes, path);
  Imatrix out;
  const auto count = [&](std::string_view what, int64_t least, int64_t most) -> Result<size_t> {
    const int64_t n = INGOT_TRY(in.number<int32_t>(what));
    if (n < least || n > most)
      return invalid("[imatrix] '{}': the {} is {} at byte {}: not an importance matrix, or a damaged one", path, what,
                     n, in.position() - 4);
    return static_cast<size_t>(n);
  };
  const auto text = [&](size_t n, std::string_view what) -> Result<std::string> {
    const auto raw = INGOT_TRY(in.take(n, what));
    return std::string(reinterpret_cast<const char*>(raw.data()), raw.size());
  };
  const size_t entries = INGOT_TRY(count("number of entries", 1, limits::kTensorsMax));
  for (size_t i = 0; i < entries; ++i) {
    const size_t length = INGOT_TRY(count("length of a name", 1, limits::kTensorNameBytesMax));
    std::string name = INGOT_TRY(text(length, "a name"));
    const int32_t calls = INGOT_TRY(in.number<int32_t>("number of calls"));
    const size_t n = INGOT_TRY(count("number of values", 1, INT32_MAX));
    std::vector<float> values = floats_of(INGOT_TRY(in.take(n * sizeof(float), "values")));
    for (float& v : values)
      if (calls > 0) v /= static_cast<float>(calls);
    INGOT_TRY(check_finite(path, name, values));
    out.weights[std::move(name)] = std::move(values);
  }
  if (in.remaining() >= 8) {
    out.chunks = INGOT_TRY(in.number<int32_t>("number of chunks"));
    const size_t length = INGOT_TRY(count("length of the text's name", 0, limits::kTensorNameBytesMax));
    out.dataset = INGOT_TRY(text(length, "the text's name"));
  }
  return out;
}

}  // namespace

Result<Imatrix> parse_imatrix(std::span<const std::byte> bytes, std::string_view path) {
  const bool gguf = bytes.size() >= 4 && std::memcmp(bytes.data(), "GGUF", 4) == 0;
  return gguf ? parse_gguf_form(bytes, path) : parse_old_form(bytes, path);
}

Result<Imatrix> read_imatrix(const std::string& path) {
  const auto file = INGOT_TRY(MappedFile::open(path));
  return parse_imatrix(file->bytes(), path);
}

}  // namespace ingot::convert
