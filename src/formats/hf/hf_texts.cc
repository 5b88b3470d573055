#include "formats/hf/hf_texts.h"

#include <fmt/format.h>

#include "base/limits.h"
#include "formats/hf/hf_weights.h"
#include "formats/json.h"

namespace ingot {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTexts[] = {
    "config.json",        "generation_config.json",  "tokenizer_config.json", "tokenizer.json", "chat_template.jinja",
    "chat_template.json", "special_tokens_map.json", "added_tokens.json",     "vocab.json",     "merges.txt",
    "genai_config.json",
};
constexpr auto kTemplateFolder = "additional_chat_templates";
Result<void> map_text(const fs::path& folder, const std::string& name, HfTexts& texts) {
  std::error_code ec;
  if (!fs::exists(folder / name, ec)) return {};
  auto map = INGOT_TRY(MappedFile::open(folder / name));
  if (map->bytes().size() > limits::kJsonBytesMax)
    return error(Code::kResourceExhausted, "[hf] '{}': {} bytes, the limit for a text is {}", map->path(),
                 map->bytes().size(), limits::kJsonBytesMax);
  texts.emplace(name, std::move(map));
  return {};
}

}  // namespace

Result<HfTexts> map_texts(const fs::path& folder) {
  HfTexts texts;
  for (const std::string_view name : kTexts) INGOT_TRY(map_text(folder, std::string(name), texts));
  std::error_code ec;
  if (!fs::is_directory(folder / kTemplateFolder, ec)) return texts;
  for (const fs::path& file : INGOT_TRY(list_folder(folder / kTemplateFolder))) {
    if (file.extension() != ".jinja") continue;
    if (texts.size() >= limits::kSplitFilesMax)
      return error(Code::kResourceExhausted, "[hf] '{}': more than {} files", (folder / kTemplateFolder).string(),
                   limits::kSplitFilesMax);
    INGOT_TRY(map_text(folder, fmt::format("{}/{}", kTemplateFolder, file.filename().string()), texts));
  }
  return texts;
}

Result<void> flatten_texts(const HfTexts& texts, std::span<const std::string_view> stems, TextArena& arena,
                           Metadata& out, Nulls& nulls) {
  for (const std::string_view stem : stems) {
    const auto it = texts.find(fmt::format("{}.json", stem));
    if (it == texts.end()) continue;
    const auto bytes = it->second->bytes();
    const std::string what = fmt::format("[hf] '{}'", it->second->path());
    const auto root = INGOT_TRY(parse_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, what));
    INGOT_TRY(flatten_json(root, stem, what, arena, out, &nulls));
  }
  return {};
}

std::string_view text_of(const HfTexts& texts, std::string_view name) {
  const auto it = texts.find(name);
  if (it == texts.end()) return {};
  const auto bytes = it->second->bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace ingot
