// One line to stderr, as the caller's verbosity allows. Ordinary output never goes here.
// Thread-safety: all functions.
#pragma once

#include <fmt/core.h>

#include <string_view>
#include <utility>

namespace ingot::log {

enum class Level { kDebug, kInfo, kWarn, kError, kOff };

void set_level(Level level);
bool enabled(Level level);
void write(Level level, std::string_view message);

template <class... Args>
void debug(fmt::format_string<Args...> f, Args&&... args) {
  if (enabled(Level::kDebug)) write(Level::kDebug, fmt::format(f, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> f, Args&&... args) {
  if (enabled(Level::kInfo)) write(Level::kInfo, fmt::format(f, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> f, Args&&... args) {
  if (enabled(Level::kWarn)) write(Level::kWarn, fmt::format(f, std::forward<Args>(args)...));
}

}  // namespace ingot::log
