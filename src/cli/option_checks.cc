#include "cli/option_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "cli/suggest.h"
#include "formats/printable.h"

namespace ingot::cli {
namespace {

template <class T>
bool parse(std::string_view text, T& value) {
  if (text.starts_with("+") && !text.starts_with("+-")) text.remove_prefix(1);
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  return ec == std::errc() && end == text.data() + text.size();
}

std::string shown(double v) {
  return std::abs(v) >= static_cast<double>(std::numeric_limits<float>::max()) ? "any size" : fmt::format("{}", v);
}

}  // namespace

CLI::Validator integer_in(int64_t low, int64_t high) {
  const bool open = high >= std::numeric_limits<int32_t>::max() - 1;
  const std::string allowed = open ? fmt::format("an integer of at least {}, at most {}", low, high)
                                   : fmt::format("an integer from {} to {}", low, high);
  return CLI::Validator(
      [=](std::string& text) {
        int64_t v = 0;
        if (parse(text, v) && v >= low && v <= high) return std::string();
        return fmt::format("'{}' is not {}", printable(text), allowed);
      },
      "");
}

CLI::Validator number_in(double low, double high) {
  return CLI::Validator(
      [=](std::string& text) {
        double v = 0;
        if (parse(text, v) && v >= low && v <= high) return std::string();  // false for nan
        if (shown(low) == shown(high)) return fmt::format("'{}' is not a finite number", printable(text));
        return fmt::format("'{}' is not a number from {} to {}", printable(text), shown(low), shown(high));
      },
      "");
}

CLI::Validator one_of(std::vector<std::string> names) {
  return CLI::Validator(
      [names = std::move(names)](std::string& text) {
        if (std::ranges::find(names, text) != names.end()) return std::string();
        const std::string near = nearest(text, names);
        return fmt::format("'{}' is not one of {}{}", printable(text), fmt::join(names, ", "),
                           near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near));
      },
      "");
}

CLI::Validator list_of(CLI::Validator element) {
  return CLI::Validator(
      [element = std::move(element)](std::string& text) {
        for (size_t from = 0; from <= text.size();) {
          const size_t end = std::min(text.find(',', from), text.size());
          std::string part = text.substr(from, end - from);
          if (std::string problem = element(part); !problem.empty()) return problem;
          from = end + 1;
        }
        return std::string();
      },
      "");
}

CLI::Validator not_empty() {
  return CLI::Validator([](std::string& text) { return std::string(text.empty() ? "the value is empty" : ""); }, "");
}

}  // namespace ingot::cli
