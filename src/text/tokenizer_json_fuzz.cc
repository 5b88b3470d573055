// Any bytes as tokenizer.json: an error or a tokenizer that encodes and decodes.
#include <cstdint>
#include <string_view>

#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = ingot::Tokenizer::from_json(json);
  if (!tokenizer) return 0;
  const auto ids = (*tokenizer)->encode("Hello  w\u00F6rld 123\n\U0001F600 a<s>b", true);
  if (ids) (void)(*tokenizer)->decode(*ids, false);
  return 0;
}
