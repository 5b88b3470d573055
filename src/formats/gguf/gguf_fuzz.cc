// Fuzzes the GGUF parser on a span; reads every byte that an accepted file claims to hold.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "formats/gguf/gguf_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto file = ingot::parse_gguf(bytes, "fuzz");
  if (!file) return 0;
  volatile uint8_t sink = 0;
  for (const auto& t : file->tensors)
    for (const std::byte b : bytes.subspan(t.offset, t.view.num_bytes())) sink = sink ^ static_cast<uint8_t>(b);
  for (const auto& entry : file->entries)
    for (const std::byte b : entry.raw) sink = sink ^ static_cast<uint8_t>(b);
  if (file->entries.size() != file->metadata.size()) std::abort();
  return 0;
}
