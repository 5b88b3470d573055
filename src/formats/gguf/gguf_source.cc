#include "formats/gguf/gguf_source.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <unordered_set>

#include "base/limits.h"
#include "base/mapped_file.h"
#include "formats/gguf/gguf_parser.h"
#include "formats/printable.h"

namespace ingot {
namespace {

struct Part {
  std::shared_ptr<const MappedFile> map;
  GgufFile file;
};

class GgufSource final : public Source {
 public:
  explicit GgufSource(std::vector<Part> parts) : parts_(std::move(parts)) {
    metadata_ = std::move(parts_[0].file.metadata);
    for (size_t i = 0; i < parts_.size(); ++i) {
      paths_.push_back(parts_[i].map->path());
      for (const GgufTensor& t : parts_[i].file.tensors) {
        TensorView view = t.view;
        view.data = parts_[i].map->bytes().data() + t.offset;
        tensors_.push_back({t.name, view, static_cast<int>(i), t.offset});
      }
    }
    build_index();
  }

  SourceKind kind() const override { return SourceKind::kGguf; }
  std::string format() const override {
    const auto split = parts_.size() > 1 ? fmt::format(", split in {}", parts_.size()) : "";
    return fmt::format("GGUF v{}{}", parts_[0].file.version, split);
  }
  const std::vector<std::string>& paths() const override { return paths_; }
  const std::vector<std::pair<std::string_view, MetaValue>>& metadata() const override { return metadata_; }
  const std::vector<SourceTensor>& tensors() const override { return tensors_; }
  std::string_view file(std::string_view) const override { return {}; }
  std::span<const GgufEntry> entries() const { return parts_[0].file.entries; }

 private:
  std::vector<Part> parts_;
  std::vector<std::string> paths_;
  std::vector<std::pair<std::string_view, MetaValue>> metadata_;
  std::vector<SourceTensor> tensors_;
};

Result<Part> open_part(const std::string& path) {
  Part part;
  part.map = INGOT_TRY(MappedFile::open(path));
  part.file = INGOT_TRY(parse_gguf(part.map->bytes(), path));
  return part;
}

std::optional<int64_t> find_int(const GgufFile& file, std::string_view key) {
  for (const auto& [name, value] : file.metadata)
    if (name == key)
      if (const auto* i = std::get_if<int64_t>(&value)) return *i;
  return std::nullopt;
}

std::string part_suffix(int64_t index, int64_t count) { return fmt::format("-{:05}-of-{:05}.gguf", index + 1, count); }

Result<void> check_part(const Part& part, int64_t index, int64_t count) {
  const auto its_count = find_int(part.file, "split.count");
  const auto its_index = find_int(part.file, "split.no");
  if (its_count == count && its_index == index) return {};
  return invalid(
      "[gguf] '{}': split.no {} of split.count {} does not fit the file's place, part {} of {}: "
      "a file of another split, or a renamed one",
      part.map->path(), its_index.value_or(-1), its_count.value_or(-1), index, count);
}

Result<void> check_tensors(const std::vector<Part>& parts) {
  std::unordered_set<std::string_view> seen;
  for (const Part& part : parts)
    for (const GgufTensor& t : part.file.tensors)
      if (!seen.insert(t.name).second)
        return invalid("[gguf] '{}': tensor '{}' stands in two parts of the split", part.map->path(),
                       printable(t.name));
  const auto expected = find_int(parts[0].file, "split.tensors.count");
  if (expected && *expected != static_cast<int64_t>(seen.size()))
    return invalid("[gguf] '{}': split.tensors.count is {}, the {} parts hold {} tensors: parts of different splits",
                   parts[0].map->path(), *expected, parts.size(), seen.size());
  return {};
}

Result<std::vector<Part>> open_split(Part opened, int64_t count) {
  const std::string path = opened.map->path();
  if (count > static_cast<int64_t>(limits::kSplitFilesMax))
    return invalid("[gguf] '{}': split.count is {}, the limit is {}", path, count, limits::kSplitFilesMax);
  const int64_t index = find_int(opened.file, "split.no").value_or(-1);
  if (index < 0 || index >= count)
    return invalid("[gguf] '{}': split.no is {}, expected 0 to {}", path, index, count - 1);
  const std::string suffix = part_suffix(index, count);
  if (!path.ends_with(suffix))
    return invalid("[gguf] '{}' is part {} of a split: its name must end in '{}' for the others to be found", path,
                   index + 1, suffix);
  const std::string prefix = path.substr(0, path.size() - suffix.size());
  // All names first: a missing part is told before gigabytes are read.
  for (int64_t i = 0; i < count; ++i) {
    const std::string name = prefix + part_suffix(i, count);
    std::error_code ec;
    if (!std::filesystem::exists(name, ec))
      return not_found("[gguf] '{}' is part {} of {}: '{}' is missing, download it too", path, index + 1, count, name);
  }
  std::vector<Part> parts;
  for (int64_t i = 0; i < count; ++i) {
    if (i != index) parts.push_back(INGOT_TRY(open_part(prefix + part_suffix(i, count))));
    INGOT_TRY(check_part(i == index ? opened : parts.back(), i, count));
  }
  parts.insert(parts.begin() + index, std::move(opened));
  INGOT_TRY(check_tensors(parts));
  return parts;
}

}  // namespace

Result<std::shared_ptr<const Source>> open_gguf(const std::string& path) {
  Part part = INGOT_TRY(open_part(path));
  const int64_t count = find_int(part.file, "split.count").value_or(1);
  if (count < 0) return invalid("[gguf] '{}': split.count is {}", path, count);
  std::vector<Part> parts;
  if (count > 1) {
    parts = INGOT_TRY(open_split(std::move(part), count));
  } else {
    parts.push_back(std::move(part));
  }
  return std::make_shared<const GgufSource>(std::move(parts));
}

std::span<const GgufEntry> gguf_entries(const Source& source) {
  const auto* gguf = dynamic_cast<const GgufSource*>(&source);
  return gguf ? gguf->entries() : std::span<const GgufEntry>();
}

}  // namespace ingot
