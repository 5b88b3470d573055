// The events of an answer as OpenAI's JSON: whole, or in chunks. One format for each of the two interfaces.
//
// Thread-safety: one request's, on its strand. Ownership: borrows the engine's tokenizer.
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <string>
#include <vector>

#include "llm/engine/engine.h"
#include "server/openai/generation_request.h"

namespace ingot::openai {

// What both formats need to know of their request.
struct FormatContext {
  std::string id;     // "cmpl-…"
  std::string model;  // as it was asked for
  int64_t created = 0;
  std::shared_ptr<const Tokenizer> tokenizer;
  size_t choices_each = 1;  // choices of one prompt
};

class AnswerFormat {
 public:
  virtual ~AnswerFormat() = default;
  // What goes before a choice's first delta; "" if nothing does.
  virtual std::string opening(size_t choice) = 0;
  // One chunk; "" if the event tells nothing. choice counts over all prompts.
  virtual std::string delta(size_t prompt, size_t choice, const llm::Event& event, const llm::Usage& usage) = 0;
  // The last chunk, of usage alone.
  virtual std::string usage_chunk(const llm::Usage& usage) = 0;
  virtual std::string whole(const std::vector<llm::Completion>& answers, const llm::Usage& usage) = 0;
};

std::unique_ptr<AnswerFormat> make_format(const CompletionRequest& request, FormatContext context,
                                          std::vector<TokenIds> prompts);
std::unique_ptr<AnswerFormat> make_format(const ChatRequest& request, FormatContext context,
                                          std::vector<TokenIds> prompts);

json::object usage_json(const llm::Usage& usage);
json::value finish_json(std::optional<llm::FinishReason> finish);  // "stop", "length", "abort" or null
// vLLM's stop_reason: the stop string or token that ended the choice, or null.
json::value stop_reason_json(const std::string& stop_string, std::optional<int32_t> stop_token);
// vLLM's prompt_logprobs: null, then {"ID": {logprob, rank, decoded_token}} for each token of the prompt.
json::array prompt_logprobs_json(const Tokenizer& tokenizer, const std::vector<llm::TokenInfo>& tokens);

// A token as text for people: its bytes, or "token_id:N".
std::string token_name(const Tokenizer& tokenizer, int32_t id, bool as_id);
// JSON has no infinity.
double finite_logprob(std::optional<float> logprob);

}  // namespace ingot::openai
