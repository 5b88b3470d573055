#include "text/chat/chat_template.h"

#include <boost/json.hpp>
#include <utility>

#include "text/jinja/values/unicode.h"

namespace ingot {
namespace {

namespace json = boost::json;

constexpr std::string_view kNeedle = "ingotprobe";
constexpr std::string_view kContinueTag = "CONTINUE_FINAL_MESSAGE_TAG ";

bool is_text_part(const json::value& part) {
  const json::object* o = part.if_object();
  if (o == nullptr) return false;
  const json::value* text = o->if_contains("text");
  const json::value* type = o->if_contains("type");
  return text != nullptr && text->is_string() && type != nullptr && type->is_string() && type->get_string() == "text";
}

// The text of a list that holds nothing but text parts.
std::optional<std::string> text_of_parts(const json::array& parts) {
  std::string text;
  for (const json::value& part : parts) {
    if (!is_text_part(part)) return std::nullopt;
    if (!text.empty()) text += '\n';
    text += part.get_object().at("text").get_string();
  }
  return text;
}

json::array text_as_parts(std::string_view text) { return {json::object{{"type", "text"}, {"text", text}}}; }

void adapt_arguments(json::value& call, bool to_object) {
  json::object* o = call.if_object();
  if (o == nullptr) return;
  json::value* function = o->if_contains("function");
  if (function != nullptr && function->is_object()) o = &function->get_object();
  json::value* arguments = o->if_contains("arguments");
  if (arguments == nullptr) return;
  if (to_object && arguments->is_string()) {
    json::error_code failed;
    json::value parsed = json::parse(arguments->get_string(), failed);
    if (!failed && parsed.is_object()) *arguments = std::move(parsed);
  } else if (!to_object && arguments->is_object()) {
    *arguments = json::serialize(*arguments);
  }
}

// Reasoning has three names in the wild; templates read reasoning_content, some of them thinking.
void alias_reasoning(json::object& message) {
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    const json::value* given = message.if_contains(name);
    if (given == nullptr || given->is_null()) continue;
    const json::value reasoning = *given;
    if (!message.contains("thinking")) {  // in front, where transformers puts it
      json::object ordered{{"thinking", reasoning}};
      for (auto& [key, value] : message) ordered[key] = std::move(value);
      message = std::move(ordered);
    }
    message["reasoning_content"] = reasoning;
    return;
  }
}

json::array probe_of_arguments(json::value arguments, json::value content = json::string()) {
  json::object call{{"id", "abcdefghi"},
                    {"type", "function"},
                    {"function", json::object{{"name", "probe"}, {"arguments", std::move(arguments)}}}};
  return {json::object{{"role", "user"}, {"content", "hi"}},
          json::object{
              {"role", "assistant"}, {"content", std::move(content)}, {"tool_calls", json::array{std::move(call)}}}};
}

// Puts the tag at the end of the last message's text, which comes back.
Result<std::string> tag_final_message(json::array& messages) {
  if (messages.empty()) return invalid("[chat] continue_final_message: the conversation is empty");
  json::value* content = messages.back().get_object().if_contains("content");
  if (content != nullptr && content->is_string()) {
    std::string text(content->get_string());
    content->get_string() += kContinueTag;
    return text;
  }
  if (content != nullptr && content->is_array()) {
    auto& parts = content->get_array();
    for (size_t i = parts.size(); i-- > 0;) {
      json::object* part = parts[i].if_object();
      json::value* text = part != nullptr ? part->if_contains("text") : nullptr;
      if (text == nullptr || !text->is_string()) continue;
      std::string before(text->get_string());
      text->get_string() += kContinueTag;
      return before;
    }
  }
  return invalid("[chat] continue_final_message: the last message has no text to continue");
}

}  // namespace

Result<RenderOptions> RenderOptions::from_json(const json::object& arguments) {
  RenderOptions options;
  for (const auto& [key, value] : arguments) {
    bool* flag = key == "add_generation_prompt"    ? &options.add_generation_prompt
                 : key == "continue_final_message" ? &options.continue_final_message
                                                   : nullptr;
    if (flag) {
      if (!value.is_bool()) return invalid("[chat] '{}' is neither true nor false", std::string_view(key));
      *flag = value.get_bool();
    } else if (key == "tools") {
      options.tools = value;
    } else if (key == "documents") {
      options.documents = value;
    } else {
      options.variables[key] = value;
    }
  }
  return options;
}

ChatTemplate::ChatTemplate(std::string source, jinja::Template parsed, json::object special_tokens)
    : source_(std::move(source)),
      template_(std::make_shared<const jinja::Template>(std::move(parsed))),
      special_tokens_(std::move(special_tokens)) {}

Result<ChatTemplate> ChatTemplate::parse(std::string source, json::object special_tokens) {
  jinja::Template parsed = INGOT_TRY(jinja::Template::parse(source));
  ChatTemplate chat(std::move(source), std::move(parsed), std::move(special_tokens));
  chat.probe();
  return chat;
}

std::optional<std::string> ChatTemplate::try_render(json::array messages) const {
  RenderOptions options;
  options.add_generation_prompt = false;
  options.now = 0;
  auto text = run(std::move(messages), options);
  if (!text) return std::nullopt;
  return std::move(*text);
}

void ChatTemplate::probe() {
  const auto shows = [](const std::optional<std::string>& text, std::string_view what) {
    return text && text->find(what) != std::string::npos;
  };
  const auto user = [](json::value content) {
    return json::array{json::object{{"role", "user"}, {"content", std::move(content)}}};
  };
  const bool text = shows(try_render(user(json::string(kNeedle))), kNeedle);
  const auto listed = try_render(user(text_as_parts(kNeedle)));
  const bool parts = shows(listed, kNeedle) && !shows(listed, "'type'") && !shows(listed, "\"type\"");
  if (text || parts) {
    accepts_.text = text;
    accepts_.parts = parts;
  }
  const std::string raw = std::string("{\"") + std::string(kNeedle) + "\": 1}";
  const bool arguments_text = shows(try_render(probe_of_arguments(json::value(raw))), raw);
  const bool arguments_object = shows(try_render(probe_of_arguments(json::object{{kNeedle, 1}})), kNeedle);
  if (arguments_text || arguments_object) {
    accepts_.arguments_text = arguments_text;
    accepts_.arguments_object = arguments_object;
  }
  // A message that calls tools may say nothing: null to some templates, "" to others; None in the text is neither.
  const auto calls = [&](json::value content) {
    const json::value given = arguments_object ? json::value(json::object{{kNeedle, 1}}) : json::value(raw);
    return try_render(probe_of_arguments(given, std::move(content)));
  };
  const auto with_null = calls(nullptr), with_empty = calls(json::string());
  const bool any = shows(with_null, kNeedle) || shows(with_empty, kNeedle);
  const std::string_view wanted = any ? kNeedle : "";  // some show no calls at all
  const bool null_content = shows(with_null, wanted) && !shows(with_null, "None");
  const bool empty_content = shows(with_empty, wanted);
  if (null_content || empty_content) {
    accepts_.null_content = null_content;
    accepts_.empty_content = empty_content;
  }
}

json::array ChatTemplate::adapt(const json::array& messages) const {
  json::array adapted = messages;
  for (json::value& value : adapted) {
    json::object& message = value.get_object();
    alias_reasoning(message);
    json::value* content = message.if_contains("content");
    if (content != nullptr && content->is_array() && !accepts_.parts) {
      if (auto text = text_of_parts(content->get_array())) *content = *text;
    } else if (content != nullptr && content->is_string() && !accepts_.text) {
      *content = text_as_parts(std::string(content->get_string()));
    }
    json::value* calls = message.if_contains("tool_calls");
    if (calls == nullptr || !calls->is_array()) continue;
    if (accepts_.arguments_text != accepts_.arguments_object)
      for (json::value& call : calls->get_array()) adapt_arguments(call, accepts_.arguments_object);
    const bool is_empty = content == nullptr || content->is_null() || *content == "";
    if (is_empty && !accepts_.null_content) message["content"] = "";
    if (is_empty && !accepts_.empty_content) message["content"] = nullptr;
  }
  return adapted;
}

Result<std::string> ChatTemplate::run(json::array messages, const RenderOptions& options) const {
  json::object variables = special_tokens_;
  for (const auto& [key, value] : options.variables) variables[key] = value;
  variables["messages"] = std::move(messages);
  variables["tools"] = options.tools;
  variables["documents"] = options.documents;
  variables["add_generation_prompt"] = options.add_generation_prompt;
  return template_->render(variables, options.now.value_or(std::time(nullptr)));
}

Result<std::string> ChatTemplate::render(const json::value& messages, const RenderOptions& options) const {
  if (!messages.is_array()) return invalid("[chat] messages must be an array of {{role, content}} objects");
  for (size_t i = 0; i < messages.get_array().size(); ++i) {
    if (!messages.get_array()[i].is_object()) {
      return invalid("[chat] messages[{}] is {}, but a message is an object with role and content", i,
                     json::serialize(messages.get_array()[i]).substr(0, 80));
    }
    const json::value* content = messages.get_array()[i].get_object().if_contains("content");
    if (content != nullptr && content->is_array() && !accepts_.parts && !text_of_parts(content->get_array())) {
      return invalid("[chat] messages[{}].content holds what is not text, and this template takes nothing else", i);
    }
  }
  if (options.add_generation_prompt && options.continue_final_message) {
    return invalid("[chat] add_generation_prompt and continue_final_message exclude each other; set one of them");
  }
  json::array adapted = adapt(messages.get_array());
  if (!options.continue_final_message) return run(std::move(adapted), options);

  const std::string final_text = INGOT_TRY(tag_final_message(adapted));
  std::string text = INGOT_TRY(run(std::move(adapted), options));
  const std::string_view bare = jinja::unicode::strip(kContinueTag, true, true);
  const size_t tag = text.rfind(bare);
  if (tag == std::string::npos || text.find(jinja::unicode::strip(final_text, true, true)) == std::string::npos) {
    return invalid("[chat] continue_final_message: the template drops or changes the end of the final message");
  }
  const bool kept = text.compare(tag, kContinueTag.size(), kContinueTag) == 0;
  text.resize(tag);
  if (!kept) text.resize(jinja::unicode::strip(text, false, true).size());
  return text;
}

}  // namespace ingot
