// The `ingot` program: parses the command line, runs one command, turns a Status into one line on stderr
// and an exit code (0 done, 1 failed, 2 wrong usage). Commands are listed in commands.def.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>

#include "cli/command.h"
#include "cli/suggest.h"
#include "formats/printable.h"

namespace ingot::cli {
namespace {

int fail(int exit_code, std::string_view message) {
  std::fflush(stdout);
  fmt::print(stderr, "error: {}\n", message);
  return exit_code;
}

// The subcommand that was named on the command line, or the program itself.
const CLI::App& chosen(const CLI::App& app) {
  const auto subcommands = app.get_subcommands();
  return subcommands.empty() ? app : *subcommands.front();
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

int unknown_word(std::string_view kind, std::string_view word, const std::vector<std::string>& known,
                 std::string_view help) {
  const std::string near = nearest(word, known);
  const std::string hint =
      near.empty() ? fmt::format("see `{} --help`", help) : fmt::format("did you mean '{}'?", near);
  return fail(kExitUsage, fmt::format("unknown {} '{}': {}", kind, printable(word), hint));
}

int usage_error(const CLI::App& app, const CLI::ParseError& e) {
  const CLI::App& command = chosen(app);
  const std::string help = &command == &app ? "ingot" : "ingot " + command.get_name();
  const std::vector<std::string> extras = app.remaining(true);
  if (dynamic_cast<const CLI::ExtrasError*>(&e) && !extras.empty()) {
    const std::string& word = extras.front();
    if (!word.starts_with("-"))
      return fail(kExitUsage, fmt::format("unexpected argument '{}': see `{} --help`", printable(word), help));
    return unknown_word("option", word.substr(0, word.find('=')), option_names(command), help);
  }
  std::string message = printable(e.what(), 400);
  return fail(kExitUsage, fmt::format("{}: see `{} --help`", message, help));
}

int run(int argc, char** argv) {
  CLI::App app("Ingot runs language and tensor models from one file.", "ingot");
  app.set_version_flag("--version", "ingot " INGOT_VERSION);
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.footer(
      "Examples:\n  ingot inspect model.gguf\n  ingot inspect --help\n\nExit codes: 0 done, 1 failed, 2 wrong "
      "usage.");
  Action action;
#define COMMAND(name) add_##name(app, action);
#include "cli/commands.def"
#undef COMMAND

  if (argc < 2) {
    fmt::print(stderr, "{}", app.help());
    return kExitUsage;
  }
  const std::vector<std::string> commands = command_names(app);
  const std::string_view first = argv[1];
  if (!first.starts_with("-") && std::find(commands.begin(), commands.end(), first) == commands.end())
    return unknown_word("command", first, commands, "ingot");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return 0;
  } catch (const CLI::CallForVersion&) {
    fmt::print("{}\n", app.version());
    return 0;
  } catch (const CLI::ParseError& e) {
    return usage_error(app, e);
  }
  if (!action) return fail(kExitUsage, "no command: see `ingot --help`");
  const Result<void> done = action();
  return done ? 0 : fail(kExitFailure, printable(done.error().message(), 2000));
}

}  // namespace
}  // namespace ingot::cli

int main(int argc, char** argv) {
  // A reader that goes away (`ingot … | head`) ends the program quietly, also where the parent ignored it.
  std::signal(SIGPIPE, SIG_DFL);
  int code = ingot::cli::kExitFailure;
  try {
    code = ingot::cli::run(argc, argv);
  } catch (const std::exception& e) {
    code = ingot::cli::fail(ingot::cli::kExitFailure, e.what());
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout))
    return ingot::cli::fail(ingot::cli::kExitFailure, "cannot write the output: is the disk full?");
  return code;
}
