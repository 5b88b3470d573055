// Any bytes as GBNF, regular expression or JSON Schema: an error or a grammar that can be walked.
#include <cstdint>

#include "text/grammar/grammar.h"
#include "text/grammar/pushdown.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ingot::grammar;
  if (size < 2 || size > 4096) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto compiled = data[0] % 3 == 0   ? from_gbnf(text)
                        : data[0] % 3 == 1 ? from_regex(text)
                                           : from_json_schema(text);
  if (!compiled) return 0;
  Pushdown walk(*compiled);
  int32_t set = walk.start();
  for (char c : text.substr(0, 64))
    if (set >= 0) set = walk.step(set, static_cast<uint8_t>(c));
  return 0;
}
