// answer_format.h for /v1/chat/completions: messages and deltas, with reasoning and tool calls told apart.
#include <boost/json.hpp>

#include "server/openai/answer_format.h"
#include "server/openai/chat_reader.h"

namespace ingot::openai {
namespace {

class ChatFormat final : public AnswerFormat {
 public:
  ChatFormat(const ChatRequest& r, FormatContext context, std::vector<TokenIds> prompts)
      : c_(std::move(context)),
        prompts_(std::move(prompts)),
        tool_format_(r.reading.tool_format),
        include_reasoning_(r.include_reasoning),
        readers_(prompts_.size() * c_.choices_each, ChatReader(r.reading)),
        logprobs_(r.logprobs),
        with_ids_(r.return_token_ids),
        names_are_ids_(r.return_tokens_as_token_ids),
        wants_prompt_logprobs_(r.engine.prompt_logprobs.has_value()),
        continuous_usage_(r.continuous_usage) {}

  std::string opening(size_t choice) override {
    return chunk({{"index", choice},
                  {"delta", {{"role", "assistant"}, {"content", ""}}},
                  {"logprobs", nullptr},
                  {"finish_reason", nullptr}},
                 nullptr);
  }

  std::string delta(size_t, size_t choice, const llm::Event& e, const llm::Usage& usage) override {
    ChatReader& reader = readers_[choice];
    const ChatReader::Said said = reader.read(e.text, e.finish.has_value());
    const bool tells = !said.nothing() || e.finish || ((logprobs_ || with_ids_) && !e.tokens.empty());
    if (!tells) return {};
    json::object delta;
    if (!said.content.empty() || (said.nothing() && !e.finish)) delta["content"] = said.content;
    add_reasoning(delta, said.reasoning);
    if (!said.calls.empty()) delta["tool_calls"] = call_deltas(said.calls);
    json::object entry{{"index", choice},
                       {"delta", std::move(delta)},
                       {"logprobs", logprobs_ && !e.tokens.empty() ? logprobs(e.tokens) : json::value()},
                       {"finish_reason", finish(e.finish, reader)}};
    if (e.finish) entry["stop_reason"] = stop_reason_json(e.stop_string, e.stop_token);
    if (with_ids_) entry["token_ids"] = ids(e.tokens);
    return chunk(std::move(entry), continuous_usage_ ? &usage : nullptr);
  }

  std::string usage_chunk(const llm::Usage& usage) override {
    json::object body = head("chat.completion.chunk");
    body["choices"] = json::array();
    body["usage"] = usage_json(usage);
    return json::serialize(body);
  }

  std::string whole(const std::vector<llm::Completion>& answers, const llm::Usage& usage) override {
    json::object body = head("chat.completion");
    json::array choices;
    for (const llm::Completion& answer : answers)
      for (const llm::Completion::Choice& choice : answer.choices) {
        ChatReader& reader = readers_[choices.size()];
        json::object entry{{"index", choices.size()},
                           {"message", message(reader.read(choice.text, true))},
                           {"logprobs", logprobs_ ? logprobs(choice.tokens) : json::value()},
                           {"finish_reason", finish(choice.finish, reader)},
                           {"stop_reason", stop_reason_json(choice.stop_string, choice.stop_token)}};
        if (with_ids_) entry["token_ids"] = ids(choice.tokens);
        choices.push_back(std::move(entry));
      }
    body["choices"] = std::move(choices);
    body["usage"] = usage_json(usage);
    if (wants_prompt_logprobs_)
      body["prompt_logprobs"] = prompt_logprobs_json(*c_.tokenizer, answers.front().prompt_logprobs);
    if (with_ids_) body["prompt_token_ids"] = json::array(prompts_[0].begin(), prompts_[0].end());
    return json::serialize(body);
  }

 private:
  json::object head(std::string_view object) const {
    return {{"id", c_.id}, {"object", object}, {"created", c_.created}, {"model", c_.model}};
  }

  std::string chunk(json::object entry, const llm::Usage* usage) const {
    json::object body = head("chat.completion.chunk");
    body["choices"] = json::array{std::move(entry)};
    if (usage) body["usage"] = usage_json(*usage);
    return json::serialize(body);
  }

  static json::value finish(std::optional<llm::FinishReason> finish, const ChatReader& reader) {
    json::value reason = finish_json(finish);
    if (reason == "stop" && reader.has_called()) reason = "tool_calls";
    return reason;
  }

  // Under the name that DeepSeek gave it, and vLLM's newer one.
  void add_reasoning(json::object& to, const std::string& reasoning) const {
    if (!include_reasoning_ || reasoning.empty()) return;
    to["reasoning_content"] = reasoning;
    to["reasoning"] = reasoning;
  }

  // A call's first piece names it.
  json::array call_deltas(const std::vector<tools::ToolPiece>& pieces) const {
    json::array list;
    for (const tools::ToolPiece& piece : pieces) {
      json::object entry{{"index", piece.call}};
      json::object function;
      if (!piece.name.empty()) {
        entry["id"] = new_call_id(tool_format_);
        entry["type"] = "function";
        function["name"] = piece.name;
      }
      function["arguments"] = piece.arguments;
      entry["function"] = std::move(function);
      list.push_back(std::move(entry));
    }
    return list;
  }

  json::object message(const ChatReader::Said& said) const {
    json::object out{{"role", "assistant"}, {"content", said.content}, {"refusal", nullptr}};
    if (said.content.empty() && !said.nothing()) out["content"] = nullptr;
    add_reasoning(out, said.reasoning);
    if (said.calls.empty()) return out;
    json::array list;
    for (const tools::ToolPiece& call : said.calls)
      list.push_back({{"id", new_call_id(tool_format_)},
                      {"type", "function"},
                      {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    out["tool_calls"] = std::move(list);
    return out;
  }

  static json::array ids(const std::vector<llm::TokenInfo>& tokens) {
    json::array list;
    for (const llm::TokenInfo& t : tokens) list.emplace_back(t.id);
    return list;
  }

  json::object token_entry(int32_t id, std::optional<float> logprob) const {
    json::array bytes;
    for (const char c : c_.tokenizer->token_bytes(id)) bytes.emplace_back(static_cast<unsigned char>(c));
    return {{"token", token_name(*c_.tokenizer, id, names_are_ids_)},
            {"logprob", finite_logprob(logprob)},
            {"bytes", std::move(bytes)}};
  }

  json::value logprobs(const std::vector<llm::TokenInfo>& tokens) const {
    json::array content;
    for (const llm::TokenInfo& t : tokens) {
      json::object entry = token_entry(t.id, t.logprob);
      json::array top;
      for (const auto& other : t.top) top.push_back(token_entry(other.id, other.logprob));
      entry["top_logprobs"] = std::move(top);
      content.push_back(std::move(entry));
    }
    return json::object{{"content", std::move(content)}, {"refusal", nullptr}};
  }

  FormatContext c_;
  std::vector<TokenIds> prompts_;
  tools::ToolFormat tool_format_;
  bool include_reasoning_;
  std::vector<ChatReader> readers_;  // by choice
  bool logprobs_, with_ids_, names_are_ids_, wants_prompt_logprobs_, continuous_usage_;
};

}  // namespace

std::unique_ptr<AnswerFormat> make_format(const ChatRequest& request, FormatContext context,
                                          std::vector<TokenIds> prompts) {
  return std::make_unique<ChatFormat>(request, std::move(context), std::move(prompts));
}

}  // namespace ingot::openai
