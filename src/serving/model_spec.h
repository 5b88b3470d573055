// What a model is before it is loaded: its name, its kind, and where each of its versions lies.
//
// Made from a path or from a folder of models (model_scan.cc); read by the repository and its loader.
// Thread-safety: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/status.h"

namespace ingot::serving {

struct ModelSettings;  // config/model_settings.h

enum class ModelKind : uint8_t {
  kLanguage,  // GGUF, a Hugging Face folder: answered by an engine
  kTensor,    // ONNX: answered by sessions
};
std::string_view model_kind_name(ModelKind kind);

struct ModelVersion {
  int64_t number = 1;
  std::string path;
};

struct ModelSpec {
  std::string name;
  ModelKind kind = ModelKind::kLanguage;
  std::vector<ModelVersion> versions;  // ascending, at least one
  std::string folder;                  // of config.pbtxt; empty for a lone file
  // What its configuration asks for, from the moment it is loaded; null: everything is derived.
  std::shared_ptr<const ModelSettings> settings;
};

// A lone file or folder as a model of one version; name "" takes it from the path ("gemma" of "/models/gemma.gguf").
// Errors: kNotFound, kInvalidArgument for what is no model.
Result<ModelSpec> model_at(const std::string& path, std::string name);

// The models of a folder: X.gguf, X.onnx, a folder X with a model in it, or Triton's X/VERSION/model.onnx.
// What is no model is left out. Errors: kNotFound if the folder cannot be read.
Result<std::vector<ModelSpec>> scan_models(const std::string& folder);

bool holds(const ModelSpec& spec, int64_t version);

// What the files at a version's path have together: a file with the other parts of its split GGUF or with its external
// data (NAME.onnx.data, NAME.onnx_data and the like beside NAME.onnx), or all files of a folder. 0 if there are none.
size_t model_bytes(const std::string& path);

// Names appear in paths, logs and labels. Errors: kInvalidArgument (empty, too long, '/', control characters).
Result<void> check_model_name(std::string_view name);

}  // namespace ingot::serving
