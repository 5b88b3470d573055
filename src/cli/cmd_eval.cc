// `ingot eval perplexity MODEL -f TEXT`: how well a model predicts a text.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>
#include <memory>

#include "base/clock.h"
#include "base/mapped_file.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/option_checks.h"
#include "llm/perplexity.h"

namespace ingot::cli {
namespace {

constexpr int64_t kWindow = 512;

struct Options {
  ModelOptions model;
  std::string file;
  bool json_output = false;
};

Result<void> eval(const Options& o) {
  const auto file = INGOT_TRY(MappedFile::open(o.file));
  const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  ModelOptions model_options = o.model;
  if (model_options.context == 0) model_options.context = kWindow;
  llm::LoadedModel model = INGOT_TRY(load(model_options, 0, o.json_output));
  const auto tokens = INGOT_TRY(model.tokenizer->encode(text, true));
  const bool show = ::isatty(STDERR_FILENO) && !o.json_output;
  const Stopwatch watch;
  const auto result =
      INGOT_TRY(llm::perplexity(model, tokens, model_options.context, [&](const llm::Perplexity& p, int64_t windows) {
        if (show) fmt::print(stderr, "\rwindow {} of {}, perplexity {:.4f}", p.windows, windows, p.perplexity);
      }));
  if (show) fmt::print(stderr, "\r\033[K");
  if (o.json_output)
    fmt::print("{}\n", boost::json::serialize(boost::json::object{{"perplexity", result.perplexity},
                                                                  {"nll", result.nll},
                                                                  {"nll_stderr", result.deviation},
                                                                  {"tokens", tokens.size()},
                                                                  {"scored", result.scored},
                                                                  {"windows", result.windows},
                                                                  {"context", model_options.context},
                                                                  {"ms", watch.elapsed_ms()}}));
  else
    fmt::print("perplexity {:.4f} +/- {:.4f} over {} of {} tokens, {} windows of {}\n", result.perplexity,
               result.perplexity * result.deviation, result.scored, tokens.size(), result.windows,
               model_options.context);
  return {};
}

}  // namespace

void add_eval(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App* parent = app.add_subcommand("eval", "Measure quality");
  parent->require_subcommand(1);
  parent->footer("\nExamples:\n  ingot eval perplexity model.gguf -f text.txt\n  ingot eval perplexity --help");
  CLI::App* c =
      parent->add_subcommand("perplexity", "Perplexity of a text; windows of --ctx tokens (512), second half scored");
  add_model_options(*c, o->model);
  c->get_option("--ctx")->check(
      [](std::string text) { return text == "0" ? "" : integer_in(4, int64_t{1} << 24)(text); });
  c->add_option("-f,--file", o->file, "The text")->required();
  c->add_flag("--json", o->json_output, "One JSON object");
  c->footer(
      "\nThe method is that of llama.cpp's perplexity tool, so the numbers compare.\n\nExamples:\n  ingot eval "
      "perplexity model.gguf -f text.txt\n  ingot eval perplexity model.gguf -f text.txt --ctx 2048 --json");
  c->callback([o, &action] { action = [o] { return eval(*o); }; });
}

}  // namespace ingot::cli
