// `ingot bench model`: how long a tensor model takes, run by run and node by node.
#pragma once

#include "cli/command.h"

namespace ingot::cli {

void add_bench_model(CLI::App& bench, Action& action);

}  // namespace ingot::cli
