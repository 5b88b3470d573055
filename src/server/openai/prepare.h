// From what a client wrote to what an engine takes: template, tokens, masks. Work for a worker thread.
// Thread-safety: pure functions on an immutable tokenizer and template.
#pragma once

#include <vector>

#include "llm/engine/engine.h"
#include "server/openai/generation_request.h"
#include "serving/model_repository.h"

namespace ingot::openai {

// Text to tokens; token ids are checked against the vocabulary.
// Errors: kInvalidArgument naming `param`.
Parsed<TokenIds> encode_prompt(const llm::Engine& engine, const Prompt& prompt, bool add_special,
                               std::string_view param);

// The conversation through its template. Errors: kInvalidArgument (no template, what the template says).
Parsed<std::string> render_chat(const llm::Engine& engine, const ChatRequest& request);

// One engine request for each prompt, without on_event; for a chat also how its answer is to be read.
// Errors: kInvalidArgument (tokens, bad words, grammars), kOutOfRange with both numbers when prompt and answer pass the
// context.
Parsed<std::vector<llm::Request>> prepare(const serving::Servable& model, CompletionRequest& request);
Parsed<std::vector<llm::Request>> prepare(const serving::Servable& model, ChatRequest& request);

}  // namespace ingot::openai
