// The `ingot` program: parses the command line, runs one command, turns a Status into one line on stderr
// and an exit code (0 done, 1 failed, 2 wrong usage). Commands are listed in commands.def.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "cli/command.h"
#include "cli/interactive/interrupt.h"
#include "cli/suggest.h"
#include "formats/printable.h"

namespace ingot::cli {
namespace {

int fail(int exit_code, std::string_view message) {
  std::fflush(stdout);
  std::fputs(fmt::format("error: {}\n", message).c_str(), stderr);  // never throws: stderr may be gone, too
  return exit_code;
}

// The innermost subcommand that was named on the command line (`bench llm`), or the program itself.
const CLI::App& chosen(const CLI::App& app) {
  const auto subcommands = app.get_subcommands();
  return subcommands.empty() ? app : chosen(*subcommands.front());
}

// "ingot bench llm"
std::string full_name(const CLI::App& command) {
  return command.get_parent() ? full_name(*command.get_parent()) + " " + command.get_name() : command.get_name();
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
    if (!command->get_name().empty()) names.push_back(command->get_name());  // groups of options have none
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
  const std::string help = full_name(command);
  const std::vector<std::string> inner = command_names(command);
  const std::vector<std::string> extras = app.remaining(true);
  if (dynamic_cast<const CLI::ExtrasError*>(&e) && !extras.empty()) {
    const std::string& word = extras.front();
    if (!word.starts_with("-") && !inner.empty()) return unknown_word("command", help + " " + word, inner, help);
    if (!word.starts_with("-"))
      return fail(kExitUsage, fmt::format("unexpected argument '{}': see `{} --help`", printable(word), help));
    return unknown_word("option", word.substr(0, word.find('=')), option_names(command), help);
  }
  if (!inner.empty() && !extras.empty() && &command != &app)
    return unknown_word("command", extras.front(), inner, help);
  std::string message = printable(e.what(), 400);
  return fail(kExitUsage, fmt::format("{}: see `{} --help`", message, help));
}

int run(int argc, char** argv) {
  CLI::App app("Ingot runs language and tensor models from one file.", "ingot");
  app.set_version_flag("--version", "ingot " INGOT_VERSION);
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.footer(
      "\nExamples:\n"
      "  ingot run model.gguf                        # chat\n"
      "  ingot run hf:ggml-org/gemma-3-270m-it-GGUF -p \"Why is the sky blue?\"\n"
      "  ingot infer model.onnx --input random --dim batch=1\n"
      "  ingot inspect model.gguf --plan\n"
      "  ingot run --help\n\n"
      "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.");
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
  if (done) return 0;
  const int code = exit_code(done.error());
  return code == kExitInterrupted ? code : fail(code, printable(done.error().message(), 2000));
}

// With standard output closed, the first file that is opened would take its number and be written to.
void reserve_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd) ::_exit(1);
}

}  // namespace
}  // namespace ingot::cli

int main(int argc, char** argv) {
  ingot::cli::reserve_standard_streams();
  // A reader that goes away (`ingot … | head`) ends the program quietly, also where the parent ignored it.
  std::signal(SIGPIPE, SIG_DFL);
  std::signal(SIGXFSZ, SIG_IGN);  // past a file size limit, writing fails with an errno
  ingot::cli::install_interrupt();
  int code = ingot::cli::kExitFailure;
  try {
    code = ingot::cli::run(argc, argv);
  } catch (const std::bad_alloc&) {
    code = ingot::cli::fail(ingot::cli::kExitFailure,
                            "[memory] there is not enough: give smaller inputs, a smaller --ctx or a smaller model");
  } catch (const std::exception& e) {
    code = ingot::cli::fail(ingot::cli::kExitFailure, e.what());
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout))
    return ingot::cli::fail(ingot::cli::kExitFailure, "cannot write the output: is the disk full?");
  return code;
}
