// Triton's generate extension for language models, without its transport: flat fields to an engine's request, and an
// engine's events to pieces of text. Feeds generate.cc (HTTP) and grpc/generate_stream.cc.
//
// Thread-safety: make_generate is for a worker (it tokenizes); a PieceMaker belongs to one request.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <span>
#include <string>

#include "server/openai/running.h"

namespace ingot::kserve {

struct GenerateRequest {
  std::string id;
  bool stream = true;                // pieces as they come; otherwise one
  std::string echo;                  // goes before the text: the prompt, where exclude_input_in_output is false
  bool wants_finish_reason = false;  // return_finish_reason, return_num_input_tokens, return_num_output_tokens
  bool wants_input_tokens = false, wants_output_tokens = false;
  llm::Request engine;  // without on_event
};

// fields: text_input, id, stream, exclude_input_in_output, return_…; and how tokens are chosen, by OpenAI's and vLLM's
// names, at the top, inside the object "parameters", or inside "sampling_parameters" (an object, or its JSON in a
// string); a list of one value is that value. Unknown fields do nothing. model: a language model.
// Errors: kInvalidArgument naming the field, kOutOfRange (too long for the context).
Result<GenerateRequest> make_generate(const serving::Servable& model, const boost::json::object& fields, bool stream);

struct GeneratePiece {
  std::string text;
  bool last = false;
  std::string_view finish_reason;  // "stop", "length", … with the last piece
  llm::Usage usage;
};

class PieceMaker {
 public:
  explicit PieceMaker(const GenerateRequest& request) : stream_(request.stream), text_(request.echo) {}
  // What these events make known; nothing while there is no news. Errors: that of an event that failed.
  Result<std::optional<GeneratePiece>> take(std::span<const openai::TaggedEvent> events);

 private:
  bool stream_;
  std::string text_;  // not yet given out
};

}  // namespace ingot::kserve
