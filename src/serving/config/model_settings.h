// What a model's config.pbtxt asks for, checked: plain values, without protobuf.
//
// Read from the text format of model_config.proto or from its JSON (config override on load); used by the repository
// (versions, files), the loader (batches, instances) and the KServe faces, which show it. What is not built is refused
// by its name; what only tunes another server is left aside with a warning.
// Thread-safety: plain values, pure functions. Limits: kConfigBytesMax, and those in model_settings.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "serving/queue_policy.h"
#include "tensor/dtype.h"

namespace ingot::serving {

inline constexpr size_t kConfigBytesMax = 1u << 20;
inline constexpr int kPortsMax = 4096;  // inputs or outputs, also of a request

struct VersionPolicy {
  enum class Kind : uint8_t { kLatest, kAll, kSpecific };
  Kind kind = Kind::kLatest;
  uint32_t latest = 1;            // so many of the highest
  std::vector<int64_t> specific;  // ascending
};

struct PortSettings {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> dims;  // without the batch where there is one; -1: any size
};

// A request that a model answers before it is ready.
struct WarmupSettings {
  std::string name;
  int64_t rows = 1;  // of the batch, where there is one
  int count = 1;     // how often
  std::vector<PortSettings> inputs;
  bool random = false;  // values; otherwise zeros and empty strings
};

struct ModelSettings {
  std::string name;                    // empty: the folder's
  std::string default_model_filename;  // empty: found
  VersionPolicy versions;
  int64_t batch_max = 0;  // rows of a batch; 0: no batches, and the ports' dims are whole
  std::vector<int64_t> batch_preferred;
  std::chrono::microseconds delay_max{0};
  bool preserve_ordering = false;
  QueuePolicies queue;
  int instances = 1;
  std::vector<PortSettings> inputs, outputs;  // empty: the model's own
  std::vector<WarmupSettings> warmups;
  std::string json;                   // all that was given, for those who ask for the configuration
  std::vector<std::string> warnings;  // one for each thing that does nothing here
};

// Errors: kInvalidArgument (line and column, or the field and its value), kUnimplemented naming the field.
Result<ModelSettings> parse_settings(std::string_view pbtxt);
Result<ModelSettings> parse_settings_json(std::string_view json);

// Those of FOLDER/config.pbtxt; null if there is no such file (or folder is ""). Errors: as parse_settings, with the
// path.
Result<std::shared_ptr<const ModelSettings>> load_settings(const std::string& folder);

// Which of these versions (ascending) are served. Errors: kNotFound (none is left, or a specific one is missing).
Result<std::vector<int64_t>> choose_versions(const VersionPolicy& policy, std::span<const int64_t> there);

}  // namespace ingot::serving
