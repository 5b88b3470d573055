// `ingot inspect MODEL`: what a model file or folder holds; how this machine would run it.
#include <charconv>
#include <cstdio>
#include <memory>

#include "base/mapped_file.h"
#include "cli/command.h"
#include "cli/inspect/onnx.h"
#include "cli/inspect/plan.h"
#include "cli/inspect/report.h"
#include "cli/interactive/progress_bar.h"
#include "cli/model_options.h"
#include "cli/option_checks.h"
#include "formats/onnx/onnx_import.h"
#include "formats/printable.h"
#include "formats/sniff.h"
#include "formats/source.h"
#include "llm/engine_source.h"
#include "models/model.h"
#include "plan/engine_file.h"

namespace ingot::cli {
namespace {

constexpr int64_t kDimMax = int64_t{1} << 31;

struct Options {
  std::string model;
  bool tensors = false;
  std::vector<std::string> dims;
  PlanOptions plan;
};

// "" or what is wrong with NAME=SIZE.
std::string read_dim(const std::string& text, std::map<std::string, int64_t>& dims) {
  const size_t at = text.rfind('=');
  const std::string size = at == text.npos ? "" : text.substr(at + 1);
  int64_t value = -1;
  const auto [end, ec] = std::from_chars(size.data(), size.data() + size.size(), value);
  if (at == 0 || ec != std::errc() || end != size.data() + size.size() || value < 0 || value > kDimMax)
    return fmt::format("'{}' is not NAME=SIZE with a size from 0 to {}", printable(text), kDimMax);
  dims[text.substr(0, at)] = value;
  return "";
}

// By its bytes; a file that cannot be read is left to who opens it.
bool is_onnx(const std::string& path) {
  const auto file = MappedFile::open(path);
  if (!file) return path.ends_with(".onnx");
  const FileGuess guess = guess_file((*file)->bytes());
  return guess.kind == FileKind::kOnnx || (path.ends_with(".onnx") && guess.kind == FileKind::kOther);
}

void print_text(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

Result<std::string> plan_of(Graph graph, const Options& o, const std::string& path) {
  LoadProgress progress(path, o.plan.json);
  PlanOptions options = o.plan;
  options.on_progress = progress.callback();
  return plan_text(std::move(graph), options);
}

Result<std::string> inspect_onnx(const Options& o, const std::string& path) {
  Graph graph = INGOT_TRY(import_onnx(path));
  if (o.plan.any()) return plan_of(std::move(graph), o, path);
  return o.plan.json ? onnx_json(graph, path) : onnx_text(graph, path, o.tensors);
}

Result<std::string> inspect_source(const Options& o, const std::string& path) {
  std::shared_ptr<const Source> source;
  if (is_engine_file(path)) {
    source = make_engine_source(INGOT_TRY(EngineMap::open(path)));
    if (!source)
      return error(Code::kFailedPrecondition, "[inspect] '{}' is an engine file of a tensor model: it has no metadata",
                   path);
    if (o.plan.any()) return unimplemented("[inspect] the graph of an engine file: inspect the model it was made from");
  } else {
    source = INGOT_TRY(open_source(path));
  }
  if (o.plan.any()) return plan_of(INGOT_TRY(build_model(source, {})).graph, o, path);
  const Report report = make_report(*source);
  return o.plan.json ? report_json(report) : report_text(report, o.tensors);
}

Result<void> inspect(const Options& o) {
  const std::string path = INGOT_TRY(resolve_model(o.model));
  const auto text = is_onnx(path) ? inspect_onnx(o, path) : inspect_source(o, path);
  if (!text)
    return std::unexpected(exit_code(text.error()) == kExitUsage ? text.error() : about_file(text.error(), path));
  print_text(*text);
  return {};
}

// "" or what does not go together.
std::string problem_of(Options& o) {
  for (const std::string& text : o.dims)
    if (const std::string problem = read_dim(text, o.plan.dims); !problem.empty()) return "--dim: " + problem;
  if (!o.plan.disabled_passes.empty() && !o.plan.any()) return "--disable-pass needs --graph, --plan or --why";
  if (!o.dims.empty() && !o.plan.plan && !o.plan.why) return "--dim needs --plan or --why";
  if (o.tensors && o.plan.any()) return "--tensors excludes --graph, --plan and --why";
  return "";
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("inspect", "Show what a model holds and how this machine would run it");
  command
      ->add_option("MODEL", options->model,
                   "A .gguf file (any part of a split), a Hugging Face folder, an .onnx file, or hf:org/repo[:quant]")
      ->required()
      ->check(model_reference());
  PlanOptions& p = options->plan;
  command->add_flag("--tensors", options->tensors, "List every tensor: name, type, shape, bytes, offset");
  command->add_flag("--json", p.json, "Print one JSON object, arrays whole");
  const std::string group = "How it runs";
  command->add_flag("--graph", p.graph, "The graph after the optimizer, as text")->group(group);
  command->add_flag("--plan", p.plan, "The time of each pass, the kernel of each step, memory")->group(group);
  command->add_flag("--why", p.why, "--plan, with why a faster backend did not take a step")->group(group);
  command->add_option("--disable-pass", p.disabled_passes, "Leave an optimizer pass out (repeatable); all: every pass")
      ->group(group)
      ->allow_extra_args(false)
      ->check(one_of(pass_names()));
  command->add_option("--dim", options->dims, "NAME=4: the size of a symbol, for the memory figures (repeatable)")
      ->group(group)
      ->allow_extra_args(false);
  command->footer(
      "\nExamples:\n"
      "  ingot inspect model.gguf\n"
      "  ingot inspect --tensors ./Qwen3-0.6B\n"
      "  ingot inspect --json model.gguf | jq .bits_per_weight\n"
      "  ingot inspect model.onnx --graph --disable-pass all     # as it was read\n"
      "  ingot inspect model.gguf --plan --dim tokens=512 --dim pages=2048");
  command->callback([options, &action] {
    if (const std::string p = problem_of(*options); !p.empty()) throw CLI::ValidationError(p);
    action = [options] { return inspect(*options); };
  });
}

}  // namespace ingot::cli
