// Fuzzes JSON parsing and flattening: any bytes give a Status or metadata within the limits.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "formats/hf/flatten_json.h"
#include "formats/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto root = ingot::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!root) return 0;
  ingot::TextArena arena;
  ingot::Metadata metadata;
  const auto result = ingot::flatten_json(*root, "config", "fuzz", arena, metadata);
  if (!result) return 0;
  for (const auto& [key, value] : metadata)
    if (!key.starts_with("config.") || value.valueless_by_exception()) std::abort();
  return 0;
}
