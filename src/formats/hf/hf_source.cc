#include "formats/hf/hf_source.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "formats/hf/flatten_json.h"
#include "formats/hf/hf_texts.h"
#include "formats/hf/hf_weights.h"

namespace ingot {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFlattened[] = {"config", "generation_config", "tokenizer_config"};

class HfSource final : public Source {
 public:
  HfSource(HfTexts texts, HfWeights weights, TextArena arena, Metadata metadata, Nulls nulls)
      : texts_(std::move(texts)),
        weights_(std::move(weights)),
        arena_(std::move(arena)),
        metadata_(std::move(metadata)),
        nulls_(std::move(nulls)) {
    for (const auto& shard : weights_.shards) paths_.push_back(shard.map->path());
    build_index();
  }

  SourceKind kind() const override { return SourceKind::kHuggingFace; }
  std::string format() const override { return "Hugging Face folder, safetensors"; }
  const std::vector<std::string>& paths() const override { return paths_; }
  const std::vector<std::pair<std::string_view, MetaValue>>& metadata() const override { return metadata_; }
  const std::vector<SourceTensor>& tensors() const override { return weights_.tensors; }
  bool is_null(std::string_view key) const override { return nulls_.contains(key); }
  std::string_view file(std::string_view name) const override { return text_of(texts_, name); }

 private:
  HfTexts texts_;
  HfWeights weights_;
  TextArena arena_;  // owns the metadata's text
  Metadata metadata_;
  Nulls nulls_;
  std::vector<std::string> paths_;
};

// __metadata__ under "safetensors."; shards repeat it, the first one counts.
void keep_shard_metadata(const HfWeights& weights, TextArena& arena, Metadata& out) {
  std::set<std::string_view> seen;
  for (const auto& shard : weights.shards)
    for (const auto& [key, value] : shard.file.metadata) {
      if (!seen.insert(key).second) continue;
      const std::string_view kept_key = arena.emplace_back(fmt::format("safetensors.{}", key));
      const std::string_view kept_value = arena.emplace_back(value);
      out.emplace_back(kept_key, kept_value);
    }
}

}  // namespace

Result<std::shared_ptr<const Source>> open_hf(const std::string& path) {
  std::error_code ec;
  const bool is_folder = fs::is_directory(path, ec);
  const fs::path wanted = is_folder ? fs::path() : fs::path(path);
  const fs::path folder =
      is_folder ? fs::path(path) : (wanted.has_parent_path() ? wanted.parent_path() : fs::path("."));
  // The weights first: a folder of something else is told apart by them.
  HfWeights weights = INGOT_TRY(open_hf_weights(folder, wanted));
  HfTexts texts = INGOT_TRY(map_texts(folder));
  if (!texts.contains("config.json"))
    return not_found("[hf] '{}': config.json is missing: download it too, it says how the weights are used",
                     folder.string());
  TextArena arena;
  Metadata metadata;
  Nulls nulls;
  INGOT_TRY(flatten_texts(texts, kFlattened, arena, metadata, nulls));
  keep_shard_metadata(weights, arena, metadata);
  return std::make_shared<const HfSource>(std::move(texts), std::move(weights), std::move(arena), std::move(metadata),
                                          std::move(nulls));
}

}  // namespace ingot
