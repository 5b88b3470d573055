#include "cli/model_options.h"

#include <fmt/ranges.h>

#include <cstdlib>
#include <filesystem>

#include "backends/cpu/cpu.h"
#include "backends/ref/ref.h"
#include "base/cpu_features.h"
#include "cli/interactive/progress_bar.h"
#include "cli/interactive/pull_progress.h"
#include "cli/option_checks.h"
#include "formats/printable.h"
#include "hub/pull.h"

namespace ingot::cli {
namespace {

constexpr DType kKvTypes[] = {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0};
constexpr std::string_view kThreadsVariable = "INGOT_THREADS";

std::vector<std::string> kv_type_names() {
  std::vector<std::string> names;
  for (DType t : kKvTypes) names.emplace_back(dtype_name(t));
  return names;
}

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (Isa isa : compiled_isas()) names.emplace_back(isa_name(isa));
  return names;
}

DType kv_dtype(const std::string& name) {
  const auto* found = std::ranges::find(kKvTypes, name, [](DType t) { return dtype_name(t); });
  INGOT_CHECK(found != std::end(kKvTypes));  // the option's check
  return *found;
}

// As integer_in; a value that comes from the environment is told apart.
CLI::Validator thread_count() {
  const CLI::Validator range = integer_in(0, limits::kThreadsMax);
  return CLI::Validator(
      [range](std::string& text) {
        const std::string problem = range(text);
        const char* variable = std::getenv(std::string(kThreadsVariable).c_str());
        return problem.empty() || !variable || text != variable ? problem
                                                                : fmt::format("{} ({})", problem, kThreadsVariable);
      },
      "");
}

}  // namespace

Result<void> apply_isa(const ModelOptions& options) {
  const std::string& name = options.isa;
  if (name.empty()) return {};
  const auto isa = isa_from_name(name);
  INGOT_CHECK(isa.has_value());  // the option's check
  if (!set_isa(*isa))
    return error(Code::kFailedPrecondition, "[cli] --force-isa {}: this machine has {} at best", name,
                 isa_name(detected_isa()));
  return {};
}

CLI::Validator model_reference() {
  return CLI::Validator(
      [](std::string& text) {
        const auto ref = hub::parse_reference(text);
        if (ref) return std::string();
        const std::string& message = ref.error().message();
        return message.substr(message.starts_with("[hub] ") ? 6 : 0);
      },
      "");
}

void add_model_options(CLI::App& command, ModelOptions& o) {
  command
      .add_option(
          "MODEL", o.model,
          "A GGUF file, a Hugging Face folder, an engine file (.ingot), hf:org/repo[:quant] or an https address")
      ->required()
      ->check(model_reference());
  add_runner_options(command, o);
}

void add_runner_options(CLI::App& command, ModelOptions& o) {
  command.add_option("-t,--threads", o.threads, "Compute threads; 0: all cores this process may use")
      ->check(thread_count())
      ->envname(std::string(kThreadsVariable));
  command
      .add_option(
          "-c,--ctx", o.context,
          "Longest sequence in tokens; 0: what the model was trained for (with LongRoPE its long factors, for short "
          "texts too)")
      ->check(integer_in(0, int64_t{1} << 24));
  command.add_option("--kv-type", o.kv_type, "Element type of the KV cache: f32, f16, bf16, q8_0, q4_0")
      ->capture_default_str()
      ->check(one_of(kv_type_names()));
  command.add_option("--force-isa", o.isa, fmt::format("Use kernels of: {}", fmt::join(isa_names(), ", ")))
      ->check(one_of(isa_names()));
  command.add_flag("--ref", o.reference, "Run on the reference kernels (slow; to check the fast ones)");
}

Result<std::string> resolve_model(const std::string& model) {
  const hub::ModelRef ref = INGOT_TRY(hub::parse_reference(model));
  if (!ref.remote()) return model;
  const hub::ModelCache cache = INGOT_TRY(hub::ModelCache::from_environment());
  if (auto found = cache.find(ref)) return found->path().string();
  return INGOT_TRY(pull_with_progress(cache, ref, hub::PullOptions::from_environment())).model.path().string();
}

Result<llm::LoadedModel> load(const ModelOptions& o, int64_t kv_tokens, bool quiet,
                              std::shared_ptr<PackedRecorder> recorder) {
  INGOT_TRY(apply_isa(o));
  auto pool = o.pool;
  if (!pool) pool = INGOT_TRY(ThreadPool::create(o.threads > 0 ? o.threads : ThreadPool::default_threads()));
  RunnerOptions runner{.pool = std::move(pool),
                       .backends = {&cpu_backend(), &ref_backend()},
                       .kv_dtype = kv_dtype(o.kv_type),
                       .context = o.context,
                       .kv_tokens = kv_tokens,
                       .recorder = std::move(recorder)};
  if (o.reference) runner.backends = {&ref_backend()};
  const std::string path = INGOT_TRY(resolve_model(o.model));
  LoadProgress progress(path, quiet);
  runner.on_progress = o.on_progress ? o.on_progress : progress.callback();
  return llm::load_model(path, runner);
}

}  // namespace ingot::cli
