#include "server/kserve/logging.h"

#include "base/log.h"
#include "formats/printable.h"

namespace ingot::kserve {
namespace {

namespace json = boost::json;
using log::Level;

}  // namespace

json::object log_settings() {
  return {{"log_file", ""},
          {"log_info", log::enabled(Level::kInfo)},
          {"log_warning", log::enabled(Level::kWarn)},
          {"log_error", log::enabled(Level::kError)},
          {"log_verbose_level", log::enabled(Level::kDebug) ? 1 : 0},
          {"log_format", "default"}};
}

Result<void> set_log_settings(const json::object& changes) {
  if (changes.empty()) return {};
  json::object settings = log_settings();
  for (const auto& [key, value] : changes) {
    const std::string_view name = key;
    json::value* now = settings.if_contains(name);
    if (!now) return invalid("[kserve] unknown log setting '{}'", printable(name));
    if (*now == value) continue;
    if (now->is_string())
      return unimplemented("[kserve] log setting '{}' cannot be changed while the server runs", name);
    const bool count = value.is_int64() || value.is_uint64();
    if (now->is_bool() ? !value.is_bool() : !count)
      return invalid("[kserve] log setting '{}' must be {}", name, now->is_bool() ? "true or false" : "a count");
    if (now->is_bool())
      *now = value;
    else
      *now = (value.is_uint64() ? value.get_uint64() > 0 : value.get_int64() > 0) ? 1 : 0;
  }
  Level level = Level::kOff;
  if (settings["log_error"].get_bool()) level = Level::kError;
  if (settings["log_warning"].get_bool()) level = Level::kWarn;
  if (settings["log_info"].get_bool()) level = Level::kInfo;
  if (settings["log_verbose_level"].get_int64() > 0) level = Level::kDebug;
  log::set_level(level);
  return {};
}

}  // namespace ingot::kserve
