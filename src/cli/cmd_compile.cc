// `ingot compile MODEL -o FILE`: a model as an engine file, which starts by mmap.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "backends/cpu/cpu.h"
#include "backends/ref/ref.h"
#include "base/clock.h"
#include "base/cpu_features.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/table.h"
#include "formats/onnx/onnx_import.h"
#include "plan/engine_file.h"

namespace ingot::cli {
namespace {

constexpr int64_t kCacheTokens = 16;  // the cache is not used

struct Options {
  ModelOptions model;
  std::string out;
};

Result<void> compile_onnx(const Options& o, const std::string& path) {
  auto recorder = std::make_shared<PackedRecorder>();
  INGOT_TRY(apply_isa(o.model));
  auto pool = INGOT_TRY(ThreadPool::create(o.model.threads > 0 ? o.model.threads : ThreadPool::default_threads()));
  SessionOptions options{.pool = std::move(pool), .backends = {&cpu_backend(), &ref_backend()}};
  options.store = recorder;
  const auto session = INGOT_TRY(Session::create(INGOT_TRY(import_onnx(path)), std::move(options)));
  return write_engine(o.out, {session->plan(), *recorder});
}

Result<void> compile_llm(const Options& o) {
  auto recorder = std::make_shared<PackedRecorder>();
  const llm::LoadedModel model = INGOT_TRY(load(o.model, kCacheTokens, false, recorder));
  return model.runner->write_engine_file(o.out, *model.source, *recorder);
}

Result<void> run(const Options& o) {
  const std::string path = INGOT_TRY(resolve_model(o.model.model));
  if (is_engine_file(path)) return invalid("[compile] '{}' is an engine file already: compile the model itself", path);
  if (o.model.reference) return invalid("[compile] --ref packs no weights: there is nothing to store");
  const Stopwatch watch;
  INGOT_TRY(path.ends_with(".onnx") ? compile_onnx(o, path) : compile_llm(o));
  std::error_code ec;
  fmt::print("{}: {}, for {}, in {:.1f} s\n", o.out, human_bytes(std::filesystem::file_size(o.out, ec)),
             isa_name(current_isa()), watch.elapsed_ms() / 1000);
  return {};
}

}  // namespace

void add_compile(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("compile", "Write an engine file: a model ready to run on machines like this one");
  add_model_options(*c, o->model);
  c->add_option("-o,--output", o->out, "The file to write, NAME.ingot")->required();
  c->footer(
      "\nAn engine file belongs to this version of Ingot and this instruction set; elsewhere it is refused.\n\n"
      "Examples:\n  ingot compile model.gguf -o model.ingot\n  ingot run model.ingot -p Hello\n"
      "  ingot compile model.onnx -o model.ingot && ingot infer model.ingot --input random");
  c->callback([o, &action] { action = [o] { return run(*o); }; });
}

}  // namespace ingot::cli
