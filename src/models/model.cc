#include "models/model.h"

#include "models/builder.h"
#include "models/onnx/onnx_decoder.h"

namespace ingot {

#define MODEL(gguf, hf, build) Result<LanguageModel> build(ModelBuilder& b);
#include "models/models.def"
#undef MODEL

namespace {

struct Architecture {
  std::string_view gguf, hf;
  Result<LanguageModel> (*build)(ModelBuilder&);
};
constexpr Architecture kArchitectures[] = {
#define MODEL(gguf, hf, build) {gguf, hf, build},
#include "models/models.def"
#undef MODEL
};

bool listed(std::string_view list, std::string_view name) {
  return fmt::format("|{}|", list).contains(fmt::format("|{}|", name));
}

}  // namespace

std::string known_architectures() {
  std::string out;
  for (const Architecture& a : kArchitectures) out += (out.empty() ? "" : ", ") + std::string(a.gguf);
  return out;
}

Result<std::string> read_architecture(const Source& source) {
  if (source.kind() == SourceKind::kGguf) {
    const auto name = INGOT_TRY(source.get_string("general.architecture"));
    if (!name) return invalid("[model] 'general.architecture' is missing: the file does not say what model it is");
    return std::string(*name);
  }
  if (source.kind() == SourceKind::kOnnx) return INGOT_TRY(read_genai_config(source)).architecture;
  auto type = INGOT_TRY(source.get_string("config.model_type"));
  if (!type) return invalid("[model] config.json has no 'model_type'");
  for (const Architecture& a : kArchitectures)
    if (listed(a.hf, *type)) return std::string(a.gguf);
  return std::string(*type);
}

Result<LanguageModel> build_model(std::shared_ptr<const Source> source, const BuildOptions& options) {
  if (source->kind() == SourceKind::kOnnx) return build_onnx_decoder(*source, options);
  const std::string name = INGOT_TRY(read_architecture(*source));
  for (const Architecture& a : kArchitectures) {
    if (a.gguf != name) continue;
    ModelConfig config = INGOT_TRY(read_config(*source, name));
    ModelBuilder builder(std::move(source), std::move(config), options);
    return a.build(builder);
  }
  return unimplemented("[model] architecture '{}' is not supported; known: {}", name, known_architectures());
}

}  // namespace ingot
