// What a command is: add_x() registers a subcommand with its options and examples; parsing it sets the
// action, which ingot_main.cc runs. A command prints its output to stdout and returns what went wrong; ingot_main.cc
// alone prints errors and chooses the exit code. Thread-safety: the main thread only.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "base/status.h"

namespace ingot::cli {

using Action = std::function<Result<void>()>;

// void add_inspect(CLI::App& app, Action& action); and so on.
#define COMMAND(name) void add_##name(CLI::App& app, Action& action);
#include "cli/commands.def"
#undef COMMAND

inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;

// The exit code of what a command returned: wrong usage if its message has the tag [cli] (an option's value that only
// the model can judge), kExitInterrupted if it was cancelled, failure else.
int exit_code(const Status& status);

}  // namespace ingot::cli
