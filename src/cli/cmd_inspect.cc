// `ingot inspect MODEL`: what a model file or folder holds, without loading it.
#include <cstdio>
#include <memory>

#include "cli/command.h"
#include "cli/inspect_report.h"
#include "formats/source.h"

namespace ingot::cli {
namespace {

struct Options {
  std::string model;
  bool tensors = false;
  bool json = false;
};

Result<void> inspect(const Options& options) {
  const auto source = INGOT_TRY(open_source(options.model));
  const Report report = make_report(*source);
  const std::string text = options.json ? report_json(report) : report_text(report, options.tensors);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return {};
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("inspect", "Show what a model holds: format, sizes, types, metadata, tensors");
  command->add_option("MODEL", options->model, "A .gguf file (any part of a split), or a Hugging Face folder")
      ->required();
  command->add_flag("--tensors", options->tensors, "List every tensor: name, type, shape, bytes, offset");
  command->add_flag("--json", options->json, "Print everything as one JSON object, arrays and tensors whole");
  command->footer(
      "Examples:\n"
      "  ingot inspect model.gguf\n"
      "  ingot inspect --tensors ./Qwen3-0.6B\n"
      "  ingot inspect --json model.gguf | jq .bits_per_weight");
  command->callback([options, &action] { action = [options] { return inspect(*options); }; });
}

}  // namespace ingot::cli
