// `ingot pull REF`: brings a model into the cache and prints where it is.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "cli/command.h"
#include "cli/interactive/pull_progress.h"
#include "cli/model_options.h"
#include "cli/table.h"
#include "hub/pull.h"

namespace ingot::cli {
namespace {

struct Options {
  std::string reference;
  bool update = false;
};

Result<void> pull(const Options& options) {
  const hub::ModelRef ref = INGOT_TRY(hub::parse_reference(options.reference));
  const hub::ModelCache cache = INGOT_TRY(hub::ModelCache::from_environment());
  hub::PullOptions pull_options = hub::PullOptions::from_environment();
  pull_options.update = options.update;
  const hub::Pulled pulled = INGOT_TRY(pull_with_progress(cache, ref, std::move(pull_options)));
  const hub::Entry& entry = pulled.model.entry;
  fmt::print(stderr, "{}: {}, {}{}\n", options.reference, entry.label.empty() ? "file" : entry.label,
             human_bytes(static_cast<uint64_t>(entry.bytes())), pulled.was_there ? ", already there" : "");
  fmt::print("{}\n", pulled.model.path().string());
  return {};
}

}  // namespace

void add_pull(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("pull", "Download a model into the cache; print its path");
  command->add_option("REF", options->reference, "hf:org/repo[:quant][@revision], or https://host/model.gguf")
      ->required()
      ->check(model_reference());
  command->add_flag("--update", options->update, "Ask whether there is a newer version, even if the model is there");
  command->footer(
      "\nAn interrupted download goes on where it stopped. Models lie in $INGOT_CACHE, else\n"
      "$XDG_CACHE_HOME/ingot, else ~/.cache/ingot. Private and gated models need HF_TOKEN;\n"
      "HF_ENDPOINT names another Hub.\n"
      "\nExamples:\n"
      "  ingot pull hf:ggml-org/gemma-3-270m-it-GGUF\n"
      "  ingot pull hf:unsloth/Qwen3-0.6B-GGUF:Q8_0\n"
      "  ingot pull hf:Qwen/Qwen3-0.6B@main\n"
      "  ingot inspect \"$(ingot pull https://host/model.gguf)\"");
  command->callback([options, &action] { action = [options] { return pull(*options); }; });
}

}  // namespace ingot::cli
