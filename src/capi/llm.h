// A loaded language model behind its handle. Ownership: owns the engine; a generation keeps it.
// Thread-safety: immutable; the engine's members are thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "capi/objects.h"
#include "llm/engine/engine.h"

namespace ingot::capi {

struct LlmObject {
  std::unique_ptr<llm::Engine> engine;
};

// messages, settings: JSON, see ingot_llm_render_chat(); settings may be null. Errors: as there.
Result<std::string> render_chat(const llm::Engine& engine, const char* messages, const char* settings);

}  // namespace ingot::capi
