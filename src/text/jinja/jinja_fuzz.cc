// The bytes are a template, rendered with a fixed conversation.
#include <boost/json.hpp>

#include "text/jinja/template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const boost::json::object kContext =
      boost::json::parse(R"({"messages": [{"role": "user", "content": "Hi é"}, {"role": "assistant", "content": null}],
                             "tools": [{"function": {"name": "f", "parameters": {"a": [1, 2.5, true]}}}],
                             "d": {"a": 1}, "l": [3, "x", null], "s": "text", "n": 3})")
          .as_object();
  if (size > 4096) return 0;
  const auto parsed = ingot::jinja::Template::parse({reinterpret_cast<const char*>(data), size});
  if (!parsed) return 0;
  constexpr uint64_t kSteps = 200'000;  // keeps every input quick
  const auto text = parsed->render(kContext, 0, {.steps = kSteps, .memory_bytes = size_t{16} << 20});
  (void)text;
  return 0;
}
