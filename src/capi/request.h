// A request of the C interface: a prompt in one of its forms, and settings, made a request of the engine.
// Thread-safety: one thread at a time.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "capi/objects.h"
#include "llm/engine/engine.h"

namespace ingot::capi {

struct ChatPrompt {
  std::string messages;
  std::optional<std::string> settings;
};

struct RequestObject {
  std::variant<std::monostate, std::string, std::vector<int32_t>, ChatPrompt> prompt;
  llm::Request settings;  // all of it but prompt, mask, deadline and events
  std::optional<llm::GrammarSpec> grammar;
  double timeout_ms = 0;  // 0: none
  bool default_breakers = true;
};

// Encodes the prompt and compiles the grammar, on the calling thread. Errors: as ingot_llm_submit().
Result<llm::Request> engine_request(const llm::Engine& engine, const RequestObject& request);

}  // namespace ingot::capi
