// Checks of option values for CLI11: what is refused is named with what is allowed, and nothing is cut or rounded.
// Run before a value is converted, so "3.7" is no integer, and "1e999" and 2^80 are no numbers that fit.
// Thread-safety: pure.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace ingot::cli {

CLI::Validator integer_in(int64_t low, int64_t high = std::numeric_limits<int64_t>::max());
CLI::Validator number_in(double low, double high);
CLI::Validator one_of(std::vector<std::string> names);
CLI::Validator not_empty();
// Elements between commas, each as `element` wants it.
CLI::Validator list_of(CLI::Validator element);

}  // namespace ingot::cli
