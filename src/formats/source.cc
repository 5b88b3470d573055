#include "formats/source.h"

#include <fmt/format.h>

#include <filesystem>
#include <limits>

#include "base/mapped_file.h"
#include "formats/genai/genai_source.h"
#include "formats/gguf/gguf_source.h"
#include "formats/hf/hf_source.h"
#include "formats/printable.h"
#include "formats/sniff.h"
#include "ir/graph.h"

namespace ingot {
namespace {

std::string describe(const MetaValue& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          return fmt::format("the string '{}'", printable(v, 60));
        } else if constexpr (std::is_same_v<T, bool>) {
          return fmt::format("the boolean {}", v);
        } else if constexpr (std::is_arithmetic_v<T>) {
          return fmt::format("the number {}", v);
        } else {
          return fmt::format("an array of {} elements", v.size());
        }
      },
      value);
}

std::unexpected<Status> wrong_type(std::string_view key, const MetaValue& value, std::string_view wanted) {
  return invalid("[model] metadata '{}' is {}, expected {}: convert or download the model again", printable(key),
                 describe(value), wanted);
}

}  // namespace

void Source::build_index() {
  for (const auto& [key, value] : metadata()) metadata_index_.emplace(key, &value);
  for (const auto& tensor : tensors()) tensor_index_.emplace(tensor.name, &tensor);
}

const MetaValue* Source::find_metadata(std::string_view key) const {
  const auto it = metadata_index_.find(key);
  return it == metadata_index_.end() ? nullptr : it->second;
}

const SourceTensor* Source::find_tensor(std::string_view name) const {
  const auto it = tensor_index_.find(name);
  return it == tensor_index_.end() ? nullptr : it->second;
}

Result<Graph> Source::import_graph() const {
  return unimplemented("[model] a {} model has no graph in its file", format());
}

Result<std::optional<int64_t>> Source::get_int(std::string_view key) const {
  const MetaValue* v = find_metadata(key);
  if (!v) return std::nullopt;
  if (const auto* i = std::get_if<int64_t>(v)) return *i;
  if (const auto* u = std::get_if<uint64_t>(v))
    return invalid("[model] metadata '{}' is {}, above the largest allowed {}", printable(key), *u,
                   std::numeric_limits<int64_t>::max());
  return wrong_type(key, *v, "an integer");
}

Result<std::optional<double>> Source::get_double(std::string_view key) const {
  const MetaValue* v = find_metadata(key);
  if (!v) return std::nullopt;
  if (const auto* d = std::get_if<double>(v)) return *d;
  if (const auto* i = std::get_if<int64_t>(v)) return static_cast<double>(*i);
  if (const auto* u = std::get_if<uint64_t>(v)) return static_cast<double>(*u);
  return wrong_type(key, *v, "a number");
}

Result<std::optional<bool>> Source::get_bool(std::string_view key) const {
  const MetaValue* v = find_metadata(key);
  if (!v) return std::nullopt;
  if (const auto* b = std::get_if<bool>(v)) return *b;
  return wrong_type(key, *v, "a boolean");
}

Result<std::optional<std::string_view>> Source::get_string(std::string_view key) const {
  const MetaValue* v = find_metadata(key);
  if (!v) return std::nullopt;
  if (const auto* s = std::get_if<std::string_view>(v)) return *s;
  return wrong_type(key, *v, "a string");
}

Result<std::shared_ptr<const Source>> open_source(const std::string& path) {
  std::error_code ec;
  const auto status = std::filesystem::status(path, ec);
  if (status.type() == std::filesystem::file_type::not_found)
    return not_found("[model] '{}' does not exist: give a .gguf file or a Hugging Face folder", printable(path));
  if (std::filesystem::is_directory(status))
    return std::filesystem::exists(std::filesystem::path(path) / kGenaiConfig, ec) ? open_genai(path) : open_hf(path);
  const auto file = INGOT_TRY(MappedFile::open(path));
  const FileGuess guess = guess_file(file->bytes());
  switch (guess.kind) {
    case FileKind::kGguf: return open_gguf(path);
    case FileKind::kSafetensors: return open_hf(path);
    case FileKind::kOnnx:
    case FileKind::kOther: break;
  }
  // A damaged header is told best by the parser.
  if (guess.description == kNothingKnown && path.ends_with(".safetensors")) return open_hf(path);
  return invalid("[model] '{}' is no model that can be opened: it looks like {}; {}", printable(path),
                 guess.description, guess.fix);
}

}  // namespace ingot
