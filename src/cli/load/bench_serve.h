// `ingot bench serve`: sends a load to a server and measures its answers.
#pragma once

#include "cli/command.h"

namespace ingot::cli {

void add_bench_serve(CLI::App& bench, Action& action);

}  // namespace ingot::cli
