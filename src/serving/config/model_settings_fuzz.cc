// Any bytes as config.pbtxt and as a config override.
#include "serving/config/model_settings.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto settings = ingot::serving::parse_settings(text);
  // What was understood says so itself, and is understood again.
  if (settings && !ingot::serving::parse_settings_json(settings->json)) __builtin_trap();
  (void)ingot::serving::parse_settings_json(text);
  return 0;
}
