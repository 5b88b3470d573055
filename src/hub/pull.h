// Brings a model into the cache: from the Hugging Face Hub or from any https address.
//
// Environment: HF_ENDPOINT (https://huggingface.co), HF_TOKEN, else the file HF_TOKEN_PATH, else
// $HF_HOME/token (~/.cache/huggingface/token). A model that is there is not asked for again.
// Neighbours: reference -> repository (what to take) -> transfer (each file) -> cache.
// Thread-safety: may run at once in several threads and processes on one cache.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/status.h"
#include "hub/cache.h"
#include "hub/reference.h"

namespace ingot::hub {

struct Progress {
  enum class Kind { kWaiting, kFileBegins, kBytes, kFileDone };
  Kind kind;
  std::string_view file;  // empty while waiting for another process
  size_t file_index = 0, files = 0;
  int64_t bytes = 0;         // of the whole model, on the disk
  int64_t bytes_total = -1;  // -1: not known
};

struct PullOptions {
  std::string endpoint = "https://huggingface.co";
  std::string token;
  bool update = false;  // ask the Hub whether the branch moved, even if the model is there
  std::function<void(const Progress&)> progress;

  static PullOptions from_environment();
};

struct Pulled {
  CachedModel model;
  bool was_there = false;
};

// Errors: those of transfer(); kNotFound with the quantizations there are; kInvalidArgument for a
// path, which needs no pull.
Result<Pulled> pull(const ModelCache& cache, const ModelRef& ref, const PullOptions& options);

}  // namespace ingot::hub
