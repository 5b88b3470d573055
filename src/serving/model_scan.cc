// model_spec.h: finds the models of a folder and says what they are.
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "formats/genai/genai_source.h"
#include "formats/printable.h"
#include "serving/model_spec.h"

namespace ingot::serving {
namespace {

namespace fs = std::filesystem;

// The model file of a folder, or the folder itself where that is the model (Hugging Face, GenAI); "" if there is none.
std::string model_in(const fs::path& folder) {
  std::error_code ec;
  if (fs::exists(folder / kGenaiConfig, ec)) return folder.string();
  for (const char* name : {"model.onnx", "model.gguf"})
    if (fs::exists(folder / name, ec)) return (folder / name).string();
  if (fs::exists(folder / "config.json", ec)) return folder.string();
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".gguf" || extension == ".onnx") found.push_back(entry.path().string());
  }
  std::ranges::sort(found);  // the first part of a split model comes first
  return found.empty() ? std::string() : found.front();
}

ModelKind kind_of(const std::string& path) {
  return path.ends_with(".onnx") ? ModelKind::kTensor : ModelKind::kLanguage;
}

// "12" -> 12; names with a leading zero are no versions, as Triton has it.
std::optional<int64_t> version_number(const std::string& name) {
  int64_t number = 0;
  const auto [end, ec] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (ec != std::errc() || end != name.data() + name.size() || number < 1 || name.front() == '0') return {};
  return number;
}

std::vector<ModelVersion> versions_in(const fs::path& folder) {
  std::vector<ModelVersion> versions;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    if (!entry.is_directory(ec)) continue;
    const auto number = version_number(entry.path().filename().string());
    if (!number) continue;
    std::string path = model_in(entry.path());
    if (!path.empty()) versions.push_back({*number, std::move(path)});
  }
  std::ranges::sort(versions, {}, &ModelVersion::number);
  return versions;
}

std::optional<ModelSpec> model_of_folder(const fs::path& folder, std::string name) {
  ModelSpec spec{.name = std::move(name), .folder = folder.string()};
  spec.versions = versions_in(folder);
  if (spec.versions.empty()) {
    std::string path = model_in(folder);
    if (path.empty()) return {};
    spec.versions.push_back({1, std::move(path)});
  }
  spec.kind = kind_of(spec.versions.back().path);
  return spec;
}

// The part of "NAME-00002-of-00003.gguf" that its siblings do not share; nothing if it is no part of a split.
std::optional<std::pair<size_t, size_t>> part_digits(std::string_view name) {
  constexpr std::string_view kForm = "-00000-of-00000.gguf";
  if (name.size() < kForm.size()) return {};
  const size_t begin = name.size() - kForm.size();
  for (size_t i = 0; i < kForm.size(); ++i) {
    const char c = name[begin + i];
    if (kForm[i] == '0' ? c < '0' || c > '9' : c != kForm[i]) return {};
  }
  return std::pair(begin + 1, size_t{5});
}

bool belongs_to(std::string_view other, std::string_view name) {
  if (name.ends_with(".onnx")) return other.starts_with(name);
  const auto digits = part_digits(name);
  if (!digits || other.size() != name.size() || part_digits(other) != digits) return other == name;
  const auto [at, count] = *digits;
  return other.substr(0, at) == name.substr(0, at) && other.substr(at + count) == name.substr(at + count);
}

}  // namespace

std::string_view model_kind_name(ModelKind kind) { return kind == ModelKind::kTensor ? "tensor" : "language"; }

Result<void> check_model_name(std::string_view name) {
  if (name.empty()) return invalid("[serve] a model's name is empty");
  if (name.size() > limits::kModelNameBytesMax)
    return invalid("[serve] model name '{}' is longer than {} bytes", printable(name), limits::kModelNameBytesMax);
  for (const char c : name)
    if (static_cast<unsigned char>(c) < ' ' || c == '/' || c == '\\' || c == 127)
      return invalid("[serve] model name '{}' holds a slash or a control character", printable(name));
  if (name == "." || name == "..") return invalid("[serve] '{}' is no name for a model", name);
  return {};
}

bool holds(const ModelSpec& spec, int64_t version) {
  return std::ranges::find(spec.versions, version, &ModelVersion::number) != spec.versions.end();
}

size_t model_bytes(const std::string& path) {
  std::error_code ec;
  const fs::path given(path);
  const bool folder = fs::is_directory(given, ec);
  const std::string name = given.filename().string();
  const fs::path place = folder ? given : given.has_parent_path() ? given.parent_path() : fs::path(".");
  size_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(place, ec))
    if ((folder || belongs_to(entry.path().filename().string(), name)) && entry.is_regular_file(ec))
      bytes += static_cast<size_t>(entry.file_size(ec));
  return bytes;
}

Result<ModelSpec> model_at(const std::string& path, std::string name) {
  std::error_code ec;
  const fs::path given = fs::path(path).lexically_normal();
  const fs::path leaf = given.has_filename() ? given.filename() : given.parent_path().filename();
  if (!fs::exists(given, ec)) return not_found("[serve] there is no model at '{}'", printable(path));
  const bool folder = fs::is_directory(given, ec);
  if (name.empty()) name = folder ? leaf.string() : leaf.stem().string();
  INGOT_TRY(check_model_name(name));
  if (!folder) return ModelSpec{.name = std::move(name), .kind = kind_of(path), .versions = {{1, path}}};
  auto spec = model_of_folder(given, std::move(name));
  if (!spec)
    return invalid(
        "[serve] '{}' holds no model: neither .gguf, .onnx nor config.json (a folder of models is given with "
        "--model-repository)",
        printable(path));
  return std::move(*spec);
}

Result<std::vector<ModelSpec>> scan_models(const std::string& folder) {
  std::error_code ec;
  std::vector<ModelSpec> models;
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    const fs::path& path = entry.path();
    std::optional<ModelSpec> spec;
    if (entry.is_directory()) {
      spec = model_of_folder(path, path.filename().string());
    } else if (path.extension() == ".gguf" || path.extension() == ".onnx") {
      spec = ModelSpec{.name = path.stem().string(), .kind = kind_of(path.string()), .versions = {{1, path.string()}}};
    }
    if (spec && check_model_name(spec->name)) models.push_back(std::move(*spec));
    if (models.size() > limits::kModelsMax)
      return invalid("[serve] '{}' holds more than {} models", printable(folder), limits::kModelsMax);
  }
  if (ec) return not_found("[serve] --model-repository '{}': {}", printable(folder), ec.message());
  std::ranges::sort(models, {}, &ModelSpec::name);
  return models;
}

}  // namespace ingot::serving
