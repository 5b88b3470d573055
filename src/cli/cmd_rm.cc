// `ingot rm REF`: removes a model from the cache.
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/table.h"
#include "hub/cache.h"

namespace ingot::cli {
namespace {

Result<void> rm(const std::string& reference) {
  const hub::ModelRef ref = INGOT_TRY(hub::parse_reference(reference));
  if (!ref.remote()) {
    return invalid(
        "[hub] '{}' is a path; ingot rm only removes what ingot pull has brought: see "
        "ingot list",
        reference);
  }
  const hub::ModelCache cache = INGOT_TRY(hub::ModelCache::from_environment());
  const int64_t freed = INGOT_TRY(cache.remove(ref));
  fmt::print("removed {}, {} freed\n", reference, human_bytes(static_cast<uint64_t>(freed)));
  return {};
}

}  // namespace

void add_rm(CLI::App& app, Action& action) {
  auto reference = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("rm", "Remove a downloaded model");
  command->add_option("REF", *reference, "As `ingot list` shows it")->required()->check(model_reference());
  command->footer(
      "\nExamples:\n"
      "  ingot rm hf:unsloth/Qwen3-0.6B-GGUF:Q8_0");
  command->callback([reference, &action] { action = [reference] { return rm(*reference); }; });
}

}  // namespace ingot::cli
