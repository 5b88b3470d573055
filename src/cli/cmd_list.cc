// `ingot list`: the models of the cache.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>

#include "cli/command.h"
#include "cli/table.h"
#include "hub/cache.h"

namespace ingot::cli {
namespace {

struct Options {
  bool json = false;
};

void print_json(const hub::ModelCache& cache, const std::vector<hub::CachedModel>& models) {
  boost::json::array list;
  for (const hub::CachedModel& m : models) {
    list.push_back({{"reference", m.entry.reference},
                    {"quant", m.entry.label},
                    {"bytes", m.entry.bytes()},
                    {"commit", m.entry.commit},
                    {"path", m.path().string()}});
  }
  const boost::json::object all{{"cache", cache.root().string()}, {"models", std::move(list)}};
  fmt::print("{}\n", boost::json::serialize(all));
}

void print_table(const hub::ModelCache& cache, const std::vector<hub::CachedModel>& models) {
  if (models.empty()) {
    fmt::print("no models in {}; get one with: ingot pull hf:org/repo[:quant]\n", cache.root().string());
    return;
  }
  Table table({"reference", "quant", ">size", "path"});
  uint64_t total = 0;
  for (const hub::CachedModel& m : models) {
    const auto bytes = static_cast<uint64_t>(m.entry.bytes());
    table.add({m.entry.reference, m.entry.label, human_bytes(bytes), m.path().string()});
    total += bytes;
  }
  fmt::print("{}{} models, {}\n", table.text(), models.size(), human_bytes(total));
}

Result<void> list(const Options& options) {
  const hub::ModelCache cache = INGOT_TRY(hub::ModelCache::from_environment());
  const std::vector<hub::CachedModel> models = cache.list();
  options.json ? print_json(cache, models) : print_table(cache, models);
  return {};
}

}  // namespace

void add_list(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("list", "List the downloaded models");
  command->add_flag("--json", options->json,
                    "Print one JSON object: cache, models [{reference, quant, bytes, commit, path}]");
  command->footer(
      "\nExamples:\n"
      "  ingot list\n"
      "  ingot list --json | jq -r '.models[].path'");
  command->callback([options, &action] { action = [options] { return list(*options); }; });
}

}  // namespace ingot::cli
