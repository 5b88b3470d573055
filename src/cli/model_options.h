// The options that every command on a language model shares, and the way from MODEL to a loaded model.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>

#include "llm/loaded_model.h"

namespace ingot::cli {

struct ModelOptions {
  std::string model;
  int threads = 0;      // 0: the cores this process may use
  int64_t context = 0;  // 0: what the model was trained for
  std::string kv_type = "f16";
  std::string isa;         // "": the best of this machine
  bool reference = false;  // the reference backend only

  // Not options: set by commands that load several models.
  std::shared_ptr<ThreadPool> pool;                                   // null: one of its own
  std::function<void(size_t bytes, size_t bytes_total)> on_progress;  // in place of the bar; may be empty
};

void add_model_options(CLI::App& command, ModelOptions& options);
// All of them but MODEL.
void add_runner_options(CLI::App& command, ModelOptions& options);

// A path, hf:org/repo[:quant][@revision] or https://…, spelled as it must be.
CLI::Validator model_reference();
// --force-isa. Errors: kInvalidArgument, kFailedPrecondition.
Result<void> apply_isa(const ModelOptions& options);

// A path as it is; hf: and https: from the cache, downloaded first if need be.
// Errors: those of hub::pull; kNotFound for a path that does not exist.
Result<std::string> resolve_model(const std::string& model);

// Applies --force-isa, resolves and loads. kv_tokens: room in the cache over all sequences (0: one context).
// Shows progress on a terminal unless quiet. Errors: as load_model, and kInvalidArgument naming an option.
// recorder: see RunnerOptions.
Result<llm::LoadedModel> load(const ModelOptions& options, int64_t kv_tokens, bool quiet,
                              std::shared_ptr<PackedRecorder> recorder = nullptr);

}  // namespace ingot::cli
