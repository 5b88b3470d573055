// Fuzzes the safetensors parser on a span; reads every byte that an accepted file claims to hold.
#include <cstddef>
#include <cstdint>

#include "formats/safetensors/safetensors_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto file = ingot::parse_safetensors(bytes, "fuzz");
  if (!file) return 0;
  volatile uint8_t sink = 0;
  for (const auto& t : file->tensors)
    for (const std::byte b : bytes.subspan(t.offset, t.view.num_bytes())) sink = sink ^ static_cast<uint8_t>(b);
  return 0;
}
