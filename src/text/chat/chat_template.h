// A model's chat template: conversation in, prompt text out, byte for byte as transformers renders it.
//
// Reads the template and its special tokens from a Source; renders with jinja::Template. Where a
// template cannot take the form a conversation came in (text or a list of parts, tool arguments as an
// object or as JSON text), the other form is passed; found out once, by rendering probes at parse.
// Thread-safety: immutable after parse; render from any number of threads.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "formats/source.h"
#include "text/jinja/template.h"

namespace ingot {

struct RenderOptions {
  bool add_generation_prompt = true;    // end with the header of the assistant's answer
  bool continue_final_message = false;  // end inside the last message, to be continued by the model
  boost::json::value tools;             // null, or an array of JSON schemas
  boost::json::value documents;         // null, or an array of {title, text}
  boost::json::object variables;        // more for the template: enable_thinking, ...
  std::optional<std::time_t> now;       // what strftime_now tells; absent: the clock

  // From keyword arguments as transformers' apply_chat_template takes them; what it does not know is a variable.
  // Errors: kInvalidArgument where one of the first two is no bool.
  static Result<RenderOptions> from_json(const boost::json::object& arguments);
};

class ChatTemplate {
 public:
  // The template of that name. GGUF: tokenizer.chat_template[.name]; Hugging Face folder: chat_template.jinja,
  // additional_chat_templates/NAME.jinja, chat_template.json, tokenizer_config.json.
  // Errors: kNotFound if the model has none, or none of that name; those of parse.
  static Result<ChatTemplate> from_source(const Source& source, std::string_view name = "default");

  // special_tokens: bos_token, eos_token, ... as templates name them.
  static Result<ChatTemplate> parse(std::string source, boost::json::object special_tokens);

  // messages: an array of objects {role, content, tool_calls, ...} that the template sees as they are.
  // Errors: kInvalidArgument if they are not, or with what the template says about the conversation.
  Result<std::string> render(const boost::json::value& messages, const RenderOptions& options) const;

  const std::string& source() const { return source_; }

 private:
  // What the template can read; true where a probe tells nothing.
  struct Accepts {
    bool text = true;
    bool parts = true;
    bool arguments_text = true;
    bool arguments_object = true;
    bool null_content = true;   // of a message that calls tools
    bool empty_content = true;  // "" there
  };
  ChatTemplate(std::string source, jinja::Template parsed, boost::json::object special_tokens);
  void probe();
  std::optional<std::string> try_render(boost::json::array messages) const;
  boost::json::array adapt(const boost::json::array& messages) const;
  Result<std::string> run(boost::json::array messages, const RenderOptions& options) const;

  std::string source_;
  std::shared_ptr<const jinja::Template> template_;
  boost::json::object special_tokens_;
  Accepts accepts_;
};

}  // namespace ingot
