// What /v1/completions and /v1/chat/completions ask for, read from JSON: the common part and each one's own.
//
// OpenAI's fields, vLLM's extra ones and llama.cpp's sampler names; unknown fields are taken and do nothing. Nothing
// here knows a model: tokens, templates and vocabularies come later (prepare.h). Thread-safety: pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "llm/engine/request.h"
#include "server/openai/fields.h"
#include "server/openai/structured_output.h"
#include "text/tools/dialect.h"
#include "text/tools/tool_grammar.h"

namespace ingot::openai {

inline constexpr int kTopLogprobsMax = 20;
inline constexpr size_t kPromptsMax = 2048;
inline constexpr int kChoicesMax = 128;

using TokenIds = std::vector<int32_t>;
using Prompt = std::variant<std::string, TokenIds>;

struct GenerationRequest {
  std::string model;  // empty: the only one
  bool stream = false;
  bool include_usage = false;            // stream_options: a last chunk with the sums
  bool continuous_usage = false;         // and one in each chunk
  llm::Request engine;                   // all but the prompt, the events and bad words
  std::optional<Constraint> constraint;  // the form of the answer
  std::vector<std::string> bad_words;
  TokenIds allowed_token_ids;  // empty: all
  bool logprobs = false;
  int top_logprobs = 0;
  bool add_special_tokens = true;
  bool return_token_ids = false;
  bool return_tokens_as_token_ids = false;
  int64_t truncate_prompt_tokens = 0;  // keep so many of the prompt's last tokens; 0: all
};

struct CompletionRequest : GenerationRequest {
  std::vector<Prompt> prompts;
  bool echo = false;
};

// How the text of a chat's answer is to be read; prepare() finds it out.
struct ChatReading {
  tools::ToolFormat tool_format = tools::ToolFormat::kHermes;
  std::vector<std::string> tool_names;             // empty: no text is a call
  int calls_max = 0;                               // of one choice
  std::optional<tools::ReasoningMarks> reasoning;  // told apart
  bool in_thought = false;                         // the answer begins inside
};

struct ChatRequest : GenerationRequest {
  boost::json::array messages;
  boost::json::value tools;           // null or an array, for the template
  std::vector<tools::Tool> callable;  // those that an answer may call
  bool must_call = false;             // at least one of them
  bool parallel_tool_calls = true;
  bool include_reasoning = true;
  ChatReading reading;
  boost::json::value documents;  // likewise
  boost::json::object template_variables;
  std::string chat_template;  // the client's own; empty: the model's
  bool add_generation_prompt = true;
  bool continue_final_message = false;
};

Parsed<CompletionRequest> parse_completion(const json::object& body);
Parsed<ChatRequest> parse_chat(const json::object& body);

// The messages, tools and template fields of a chat, as /tokenize has them, too.
void read_conversation(Fields& fields, ChatRequest& request);
// prompt: a string, strings, token ids, or lists of them.
std::vector<Prompt> read_prompts(Fields& fields, std::string_view name);
// Everything about how tokens are chosen.
void read_sampling(Fields& fields, GenerationRequest& request);

}  // namespace ingot::openai
