#include "formats/genai/genai_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "formats/hf/flatten_json.h"
#include "formats/hf/hf_texts.h"
#include "formats/onnx/onnx_import.h"
#include "formats/printable.h"

namespace ingot {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFlattened[] = {"genai_config", "tokenizer_config"};
constexpr std::string_view kFile = "genai_config.model.decoder.filename";
constexpr std::string_view kEnd = "genai_config.model.eos_token_id";

class GenaiSource final : public Source {
 public:
  GenaiSource(HfTexts texts, TextArena arena, Metadata metadata, Nulls nulls)
      : texts_(std::move(texts)), arena_(std::move(arena)), metadata_(std::move(metadata)), nulls_(std::move(nulls)) {
    // Where the tokenizer looks for what ends a generation.
    const auto is_end = [](const auto& entry) { return entry.first == kEnd; };
    if (const auto end = std::ranges::find_if(metadata_, is_end); end != metadata_.end())
      metadata_.emplace_back("generation_config.eos_token_id", MetaValue(end->second));
    build_index();
  }

  // Which of the folder's files is the model.
  Result<void> find_model(const fs::path& folder) {
    const std::string config = (folder / kGenaiConfig).string();
    for (const char* part : {"encoder", "embedding", "vision", "speech"})
      if (find_metadata(fmt::format("genai_config.model.{}.filename", part)))
        return unimplemented("[genai] '{}' has an '{}' beside the decoder: only models of one graph can be run", config,
                             part);
    for (const auto& [key, value] : metadata_)
      if (key.starts_with("genai_config.model.decoder.pipeline"))
        return unimplemented("[genai] '{}' has a pipeline of graphs: only models of one graph can be run", config);
    const auto name = INGOT_TRY(get_string(kFile));
    if (!name || name->empty())
      return invalid("[genai] '{}' has no 'model.decoder.filename': it says which file is the model", config);
    const fs::path relative(*name);
    bool inside = relative.is_relative() && name->find('\0') == name->npos;
    for (const fs::path& part : relative) inside &= part != "..";
    if (!inside)
      return error(Code::kPermissionDenied, "[genai] '{}': 'model.decoder.filename' is '{}', outside of the folder",
                   config, printable(*name));
    paths_ = {(folder / relative).string()};
    std::error_code ec;
    if (!fs::is_regular_file(paths_[0], ec))
      return not_found(
          "[genai] '{}': 'model.decoder.filename' is '{}', which is no file in the folder: download it too", config,
          printable(*name));
    return {};
  }

  SourceKind kind() const override { return SourceKind::kOnnx; }
  std::string format() const override { return "ONNX Runtime GenAI folder"; }
  const std::vector<std::string>& paths() const override { return paths_; }
  const std::vector<std::pair<std::string_view, MetaValue>>& metadata() const override { return metadata_; }
  const std::vector<SourceTensor>& tensors() const override { return tensors_; }
  bool is_null(std::string_view key) const override { return nulls_.contains(key); }
  std::string_view file(std::string_view name) const override { return text_of(texts_, name); }
  Result<Graph> import_graph() const override { return import_onnx(paths_[0]); }

 private:
  HfTexts texts_;
  TextArena arena_;  // owns the metadata's text
  Metadata metadata_;
  Nulls nulls_;
  std::vector<std::string> paths_;
  std::vector<SourceTensor> tensors_;  // none: they are constants of the graph
};

}  // namespace

Result<std::shared_ptr<const Source>> open_genai(const std::string& folder) {
  HfTexts texts = INGOT_TRY(map_texts(folder));
  TextArena arena;
  Metadata metadata;
  Nulls nulls;
  INGOT_TRY(flatten_texts(texts, kFlattened, arena, metadata, nulls));
  auto source =
      std::make_shared<GenaiSource>(std::move(texts), std::move(arena), std::move(metadata), std::move(nulls));
  INGOT_TRY(source->find_model(folder));
  return source;
}

}  // namespace ingot
