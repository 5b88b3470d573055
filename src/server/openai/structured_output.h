// What a request says about the form of its answer: one grammar from any of the fields that the dialects have for it.
//
// OpenAI's response_format, vLLM's structured_outputs and guided_*, llama.cpp's grammar and json_schema. At most one of
// them may be set. Nothing is compiled here (prepare.h does it). Thread-safety: pure functions.
#pragma once

#include <optional>
#include <string>

#include "llm/grammar_mask.h"
#include "server/openai/fields.h"

namespace ingot::openai {

struct Constraint {
  llm::GrammarSpec grammar;
  std::string field;  // where it was written, for messages: "response_format"
};

// Empty if any text will do. What is wrong is told through `fields`.
std::optional<Constraint> read_constraint(Fields& fields);

}  // namespace ingot::openai
