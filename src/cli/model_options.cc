#include "cli/model_options.h"

#include <unistd.h>

#include <filesystem>

#include "backends/cpu/cpu.h"
#include "backends/ref/ref.h"
#include "base/cpu_features.h"
#include "cli/interactive/pull_progress.h"
#include "hub/pull.h"

namespace ingot::cli {
namespace {

Result<DType> kv_dtype(const std::string& name) {
  for (DType t : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0})
    if (dtype_name(t) == name) return t;
  return invalid("[cli] --kv-type '{}' is not one of f32, f16, bf16, q8_0, q4_0", name);
}

Result<void> force_isa(const std::string& name) {
  if (name.empty()) return {};
  const auto isa = isa_from_name(name);
  if (!isa) return invalid("[cli] --force-isa '{}' is not one of baseline, avx2, avx512, avx512-bf16, amx", name);
  if (!set_isa(*isa))
    return error(Code::kFailedPrecondition, "[cli] --force-isa {}: this machine has {} at best", name,
                 isa_name(detected_isa()));
  return {};
}

}  // namespace

void add_model_options(CLI::App& command, ModelOptions& o) {
  command.add_option("MODEL", o.model, "A GGUF file, a Hugging Face folder, hf:org/repo[:quant] or an https address")
      ->required();
  command.add_option("-t,--threads", o.threads, "Compute threads; 0: all cores this process may use")
      ->check(CLI::Range(0, limits::kThreadsMax))
      ->envname("INGOT_THREADS");
  command.add_option("-c,--ctx", o.context, "Longest sequence in tokens; 0: what the model was trained for")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 24));
  command.add_option("--kv-type", o.kv_type, "Element type of the KV cache: f32, f16, bf16, q8_0, q4_0")
      ->capture_default_str();
  command.add_option("--force-isa", o.isa, "Use kernels of: baseline, avx2, avx512, avx512-bf16, amx");
  command.add_flag("--ref", o.reference, "Run on the reference kernels (slow; to check the fast ones)");
}

Result<std::string> resolve_model(const std::string& model) {
  const hub::ModelRef ref = INGOT_TRY(hub::parse_reference(model));
  if (!ref.remote()) return model;
  const hub::ModelCache cache = INGOT_TRY(hub::ModelCache::from_environment());
  if (auto found = cache.find(ref)) return found->path().string();
  return INGOT_TRY(pull_with_progress(cache, ref, hub::PullOptions::from_environment())).model.path().string();
}

Result<llm::LoadedModel> load(const ModelOptions& o, int64_t kv_tokens, bool quiet) {
  INGOT_TRY(force_isa(o.isa));
  RunnerOptions runner{.pool = std::make_shared<ThreadPool>(o.threads > 0 ? o.threads : ThreadPool::default_threads()),
                       .backends = {&cpu_backend(), &ref_backend()},
                       .kv_dtype = INGOT_TRY(kv_dtype(o.kv_type)),
                       .context = o.context,
                       .kv_tokens = kv_tokens};
  if (o.reference) runner.backends = {&ref_backend()};
  const std::string path = INGOT_TRY(resolve_model(o.model));
  const bool show = !quiet && ::isatty(STDERR_FILENO);
  if (show) fmt::print(stderr, "loading {} …\r", std::filesystem::path(path).filename().string());
  auto model = llm::load_model(path, runner);
  if (show) fmt::print(stderr, "\033[K");
  return model;
}

}  // namespace ingot::cli
