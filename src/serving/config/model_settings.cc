#include "serving/config/model_settings.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "base/limits.h"
#include "formats/printable.h"
#include "serving/config/model_config.pb.h"

namespace ingot::serving {
namespace {

using inference::ModelConfig;
namespace util = google::protobuf::util;

constexpr int kNestingMax = 32;
constexpr int64_t kBatchMax = 1 << 16;
constexpr int kInstancesMax = 64;
constexpr uint64_t kPriorityLevelsMax = 1024;
constexpr uint64_t kMicrosecondsMax = 3'600'000'000;  // an hour
constexpr int kVersionsMax = 1024;
constexpr int kWarmupsMax = 1000;
constexpr int64_t kWarmupRunsMax = 10'000;
constexpr int64_t kWarmupElementsMax = 1 << 28;  // of all inputs of one run

// The first thing that the parser complains of.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text.empty()) text = fmt::format("line {}, column {}: {}", line + 1, column + 1, printable(message));
  }
  void AddWarning(int, int, const std::string&) override {}
  std::string text;
};

Result<DType> dtype_of(inference::DataType type, std::string_view of) {
  static constexpr std::array<DType, 15> kTypes = {
      DType::kF32, DType::kBool, DType::kU8,  DType::kU16, DType::kU32, DType::kU64,    DType::kI8,  DType::kI16,
      DType::kI32, DType::kI64,  DType::kF16, DType::kF32, DType::kF64, DType::kString, DType::kBF16};
  const int i = type;
  if (i < 1 || i >= static_cast<int>(kTypes.size())) return invalid("[config] {}: must specify 'data_type'", of);
  return kTypes[static_cast<size_t>(i)];
}

template <class Port>
Result<PortSettings> read_port(const Port& port, const char* field, int i) {
  if (port.name().empty()) return invalid("[config] {}[{}]: must specify 'name'", field, i);
  const std::string of = fmt::format("{} '{}'", field, printable(port.name()));
  PortSettings out{.name = port.name(), .dtype = INGOT_TRY(dtype_of(port.data_type(), of))};
  if (port.dims_size() > limits::kRankMax)
    return invalid("[config] {}: 'dims' has {} dimensions, at most {} are possible", of, port.dims_size(),
                   limits::kRankMax);
  for (const int64_t d : port.dims()) {
    if (d < 1 && d != -1)
      return invalid(
          "[config] {}: 'dims' holds {}: dimension must be integer >= 1, or -1 to indicate a variable-size "
          "dimension",
          of, d);
    out.dims.push_back(d);
  }
  if (port.has_reshape() && !std::ranges::equal(port.reshape().shape(), port.dims()))
    return unimplemented("[config] {}: 'reshape' is not supported", of);
  if (port.is_shape_tensor()) return unimplemented("[config] {}: 'is_shape_tensor' is not supported", of);
  return out;
}

Result<void> read_ports(const ModelConfig& c, ModelSettings& out) {
  if (c.input_size() > kPortsMax || c.output_size() > kPortsMax)
    return invalid("[config] more than {} inputs or outputs", kPortsMax);
  for (int i = 0; i < c.input_size(); ++i) {
    if (c.input(i).allow_ragged_batch())
      return unimplemented("[config] input '{}': 'allow_ragged_batch' is not supported", printable(c.input(i).name()));
    if (c.input(i).optional())
      return unimplemented("[config] input '{}': 'optional' is not supported", printable(c.input(i).name()));
    out.inputs.push_back(INGOT_TRY(read_port(c.input(i), "input", i)));
  }
  for (int i = 0; i < c.output_size(); ++i) {
    out.outputs.push_back(INGOT_TRY(read_port(c.output(i), "output", i)));
    if (!c.output(i).label_filename().empty()) out.warnings.emplace_back("label_filename: classes have no labels here");
  }
  return {};
}

// Microseconds that a file may ask for.
Result<std::chrono::microseconds> read_time(uint64_t us, std::string_view field) {
  if (us > kMicrosecondsMax) return invalid("[config] '{}' is {}, more than an hour", field, us);
  return std::chrono::microseconds(static_cast<int64_t>(us));
}

Result<QueuePolicy> read_policy(const inference::ModelQueuePolicy& p) {
  QueuePolicy out;
  out.timeout = INGOT_TRY(read_time(p.default_timeout_microseconds(), "default_timeout_microseconds"));
  out.delay_late = p.timeout_action() == inference::ModelQueuePolicy::DELAY;
  out.allow_shorter = p.allow_timeout_override();
  out.waiting_max = p.max_queue_size();
  return out;
}

Result<void> read_priorities(const inference::ModelDynamicBatching& b, ModelSettings& out) {
  QueuePolicies& q = out.queue;
  q.levels = b.priority_levels();
  q.level_default = b.default_priority_level();
  if (q.levels > kPriorityLevelsMax)
    return invalid("[config] 'priority_levels' is {}, at most {} are possible", q.levels, kPriorityLevelsMax);
  if (q.levels > 0 && (q.level_default < 1 || q.level_default > q.levels))
    return invalid("[config] 'default_priority_level' is {}: default priority level must be in range [1, {}]",
                   q.level_default, q.levels);
  if (b.has_default_queue_policy()) q.usual = INGOT_TRY(read_policy(b.default_queue_policy()));
  for (const auto& [level, policy] : b.priority_queue_policy()) {
    if (level < 1 || level > q.levels)
      return invalid(
          "[config] 'priority_queue_policy' names level {}: priority queue policy must have priority level in range "
          "[1, {}]",
          level, q.levels);
    q.of_level[level] = INGOT_TRY(read_policy(policy));
  }
  if (out.preserve_ordering && q.levels > 1)
    return invalid("[config] Only one priority level is allowed when 'preserve_ordering' is true");
  if (out.preserve_ordering && q.usual.delay_late)
    return invalid("[config] Queue policy can not have DELAY as timeout action when 'preserve_ordering' is true");
  return {};
}

Result<void> read_batching(const ModelConfig& c, ModelSettings& out) {
  if (c.has_sequence_batching()) return unimplemented("[config] 'sequence_batching' is not supported");
  if (c.has_ensemble_scheduling()) return unimplemented("[config] 'ensemble_scheduling' is not supported");
  if (c.batch_input_size() > 0) return unimplemented("[config] 'batch_input' is not supported");
  if (c.batch_output_size() > 0) return unimplemented("[config] 'batch_output' is not supported");
  out.batch_max = c.max_batch_size();
  if (out.batch_max < 0 || out.batch_max > kBatchMax)
    return invalid("[config] 'max_batch_size' is {}: 'max_batch_size' must be non-negative value, at most {}",
                   out.batch_max, kBatchMax);
  if (!c.has_dynamic_batching()) return {};
  const inference::ModelDynamicBatching& b = c.dynamic_batching();
  for (const int32_t rows : b.preferred_batch_size()) {
    if (rows < 1) return invalid("[config] 'preferred_batch_size' holds {}: must be positive", rows);
    if (rows > out.batch_max && out.batch_max > 0)
      return invalid(
          "[config] 'preferred_batch_size' holds {}: dynamic batching preferred size must be <= max batch "
          "size ({})",
          rows, out.batch_max);
    out.batch_preferred.push_back(rows);
  }
  out.delay_max = INGOT_TRY(read_time(b.max_queue_delay_microseconds(), "max_queue_delay_microseconds"));
  out.preserve_ordering = b.preserve_ordering();
  return read_priorities(b, out);
}

Result<void> read_instances(const ModelConfig& c, ModelSettings& out) {
  int64_t count = 0;
  for (const inference::ModelInstanceGroup& g : c.instance_group()) {
    if (g.kind() == inference::ModelInstanceGroup::KIND_GPU || g.gpus_size() > 0)
      return unimplemented("[config] instance_group '{}' has kind KIND_GPU, but this server runs on the CPU",
                           printable(g.name()));
    if (g.count() < 0 || g.count() > kInstancesMax)
      return invalid("[config] 'instance_group': 'count' is {}, it must be from 1 to {}", g.count(), kInstancesMax);
    count += g.passive() ? 0 : std::max(g.count(), 1);
    if (g.has_rate_limiter()) out.warnings.emplace_back("rate_limiter");
    if (!g.host_policy().empty()) out.warnings.emplace_back("host_policy");
  }
  if (count > kInstancesMax)
    return invalid("[config] 'instance_group': {} instances, at most {} are possible", count, kInstancesMax);
  out.instances = std::max(1, static_cast<int>(count));
  if (out.preserve_ordering && out.instances > 1)
    return unimplemented("[config] 'preserve_ordering' is not supported with {} instances", out.instances);
  return {};
}

Result<void> read_versions(const inference::ModelVersionPolicy& p, VersionPolicy& out) {
  if (p.has_all()) out.kind = VersionPolicy::Kind::kAll;
  if (p.has_latest()) {
    out.latest = p.latest().num_versions();
    if (out.latest < 1)
      return invalid("[config] 'version_policy': 'num_versions' is 0: at least one version must be served");
  }
  if (!p.has_specific()) return {};
  out.kind = VersionPolicy::Kind::kSpecific;
  if (p.specific().versions_size() < 1 || p.specific().versions_size() > kVersionsMax)
    return invalid("[config] 'version_policy': 'specific' names {} versions, it must be from 1 to {}",
                   p.specific().versions_size(), kVersionsMax);
  for (const int64_t v : p.specific().versions()) {
    if (v < 1) return invalid("[config] 'version_policy': 'specific' names version {}, versions begin at 1", v);
    out.specific.push_back(v);
  }
  std::ranges::sort(out.specific);
  const auto repeated = std::ranges::unique(out.specific);
  out.specific.erase(repeated.begin(), repeated.end());
  return {};
}

Result<WarmupSettings> read_warmup(const inference::ModelWarmup& w) {
  const std::string of = fmt::format("model_warmup '{}'", printable(w.name()));
  WarmupSettings out{.name = w.name(), .rows = std::max<int64_t>(w.batch_size(), 1)};
  out.count = static_cast<int>(std::max(w.count(), 1u));
  if (out.rows > kBatchMax) return invalid("[config] {}: 'batch_size' is {}, at most {}", of, out.rows, kBatchMax);
  if (w.count() > kWarmupsMax) return invalid("[config] {}: 'count' is {}, at most {}", of, w.count(), kWarmupsMax);
  int64_t all = 0;  // elements
  for (const auto& [name, input] : w.inputs()) {
    if (!input.input_data_file().empty()) return unimplemented("[config] {}: 'input_data_file' is not supported", of);
    PortSettings port{.name = name, .dtype = INGOT_TRY(dtype_of(input.data_type(), of))};
    int64_t elements = out.rows;
    for (const int64_t d : input.dims()) {
      if (d < 1 || __builtin_mul_overflow(elements, d, &elements) || elements > kWarmupElementsMax - all)
        return invalid("[config] {}: 'dims' of '{}' holds {}: sizes are from 1, and at most {} elements in all inputs",
                       of, printable(name), d, kWarmupElementsMax);
      port.dims.push_back(d);
    }
    all += elements;
    if (port.dims.size() >= limits::kRankMax) return invalid("[config] {}: too many 'dims'", of);
    out.random = out.random || input.random_data();
    out.inputs.push_back(std::move(port));
  }
  return out;
}

Result<void> read_rest(const ModelConfig& c, ModelSettings& out) {
  constexpr std::array<std::string_view, 3> kPlatforms = {"", "onnxruntime_onnx", "ingot"};
  constexpr std::array<std::string_view, 5> kBackends = {"", "onnxruntime", "ingot", "vllm", "tensorrtllm"};
  if (std::ranges::find(kPlatforms, c.platform()) == kPlatforms.end())
    return unimplemented("[config] 'platform' is '{}', supported is 'onnxruntime_onnx' (and none: it is found)",
                         printable(c.platform()));
  if (std::ranges::find(kBackends, c.backend()) == kBackends.end())
    return unimplemented("[config] 'backend' is '{}', supported is 'onnxruntime' (and none: it is found)",
                         printable(c.backend()));
  const std::string& file = c.default_model_filename();
  if (file.find('/') != std::string::npos || file.find('\\') != std::string::npos || file == ".." || file == ".")
    return invalid("[config] 'default_model_filename' is '{}': it must be a name without a path", printable(file));
  if (c.response_cache().enable()) return unimplemented("[config] 'response_cache' is not supported");
  if (c.has_model_repository_agents()) return unimplemented("[config] 'model_repository_agents' is not supported");
  out.name = c.name();
  out.default_model_filename = file;
  if (c.has_optimization()) out.warnings.emplace_back("optimization");
  if (c.model_warmup_size() > kWarmupsMax) return invalid("[config] more than {} 'model_warmup'", kWarmupsMax);
  int64_t runs = 0;
  for (const inference::ModelWarmup& w : c.model_warmup()) {
    out.warmups.push_back(INGOT_TRY(read_warmup(w)));
    runs += out.warmups.back().count;
  }
  if (runs > kWarmupRunsMax)
    return invalid("[config] the 'count' of all 'model_warmup' is {} together, at most {}", runs, kWarmupRunsMax);
  if (c.cc_model_filenames_size() > 0) out.warnings.emplace_back("cc_model_filenames");
  if (c.has_model_metrics()) out.warnings.emplace_back("model_metrics");
  if (c.has_model_operations()) out.warnings.emplace_back("model_operations");
  return {};
}

Result<ModelSettings> read(const ModelConfig& config) {
  ModelSettings out;
  INGOT_TRY(read_rest(config, out));
  INGOT_TRY(read_ports(config, out));
  INGOT_TRY(read_batching(config, out));
  INGOT_TRY(read_instances(config, out));
  INGOT_TRY(read_versions(config.version_policy(), out.versions));
  // Text and JSON let any bytes into strings, also by escapes; the binary form lets only UTF-8 out of them.
  if (!ModelConfig().ParseFromString(config.SerializeAsString())) return invalid("[config] a string is not UTF-8");
  util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  if (const auto done = util::MessageToJsonString(config, &out.json, options); !done.ok())
    return invalid("[config] {}", printable(done.ToString()));
  return out;
}

Result<void> check_size(std::string_view text) {
  if (text.size() <= kConfigBytesMax) return {};
  return invalid("[config] {} bytes are more than a configuration may have ({})", text.size(), kConfigBytesMax);
}

}  // namespace

Result<ModelSettings> parse_settings(std::string_view pbtxt) {
  INGOT_TRY(check_size(pbtxt));
  FirstError failure;
  google::protobuf::TextFormat::Parser parser;
  parser.SetRecursionLimit(kNestingMax);
  parser.RecordErrorsTo(&failure);
  google::protobuf::io::ArrayInputStream in(pbtxt.data(), static_cast<int>(pbtxt.size()));
  ModelConfig config;
  if (!parser.Parse(&in, &config)) return invalid("[config] {}", failure.text);
  return read(config);
}

Result<ModelSettings> parse_settings_json(std::string_view json) {
  INGOT_TRY(check_size(json));
  ModelConfig config;
  const auto done = util::JsonStringToMessage({json.data(), json.size()}, &config);
  if (!done.ok()) return invalid("[config] {}", printable(done.ToString(), 400));
  return read(config);
}

Result<std::shared_ptr<const ModelSettings>> load_settings(const std::string& folder) {
  const std::string path = folder + "/config.pbtxt";
  std::error_code ec;
  if (folder.empty() || !std::filesystem::is_regular_file(path, ec)) return nullptr;
  std::ifstream in(path, std::ios::binary);
  std::string text(kConfigBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (in.bad()) return not_found("[config] '{}' cannot be read", printable(path));
  auto settings = parse_settings(text);
  if (!settings) return std::unexpected(about_file(settings.error(), path));
  return std::make_shared<const ModelSettings>(std::move(*settings));
}

Result<std::vector<int64_t>> choose_versions(const VersionPolicy& policy, std::span<const int64_t> there) {
  std::vector<int64_t> chosen(there.begin(), there.end());
  if (policy.kind == VersionPolicy::Kind::kSpecific) {
    for (const int64_t v : policy.specific)
      if (std::ranges::find(there, v) == there.end())
        return not_found("[config] 'version_policy': version {} is not in the model's folder", v);
    chosen = policy.specific;
  }
  if (policy.kind == VersionPolicy::Kind::kLatest && chosen.size() > policy.latest)
    chosen.erase(chosen.begin(), chosen.end() - static_cast<ptrdiff_t>(policy.latest));
  if (chosen.empty()) return not_found("[config] at least one version must be available under the version policy");
  return chosen;
}

}  // namespace ingot::serving
