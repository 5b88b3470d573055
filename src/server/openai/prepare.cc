#include "server/openai/prepare.h"

#include <algorithm>
#include <boost/json.hpp>
#include <limits>

#include "base/limits.h"
#include "server/openai/request_mask.h"

namespace ingot::openai {
namespace {

std::unexpected<ApiError> refuse(Status status, std::string param, std::string code = {}) {
  return std::unexpected(ApiError(std::move(status), std::move(param), std::move(code)));
}

// What the context must hold is told with its numbers, as OpenAI's clients expect.
std::optional<ApiError> too_long(const llm::Engine& engine, int64_t prompt, int64_t answer, bool asked,
                                 std::string_view param) {
  const int64_t context = engine.context();
  if (prompt + (asked ? answer : 1) <= context) return {};
  const std::string wanted =
      asked ? fmt::format("{} tokens ({} in the prompt, {} for the answer)", prompt + answer, prompt, answer)
            : fmt::format("a prompt of {} tokens and room for an answer", prompt);
  return ApiError(Status(Code::kOutOfRange,
                         fmt::format("[openai] this model's maximum context length is {} tokens, but you asked for {}: "
                                     "shorten the prompt or the answer",
                                     context, wanted)),
                  std::string(param), "context_length_exceeded");
}

Parsed<llm::Request> prepare_one(const llm::Engine& engine, const GenerationRequest& r, TokenIds tokens,
                                 std::string_view param) {
  const auto keep = static_cast<size_t>(r.truncate_prompt_tokens);
  if (keep > 0 && tokens.size() > keep) tokens.erase(tokens.begin(), tokens.end() - static_cast<ptrdiff_t>(keep));
  if (tokens.empty()) return refuse({Code::kInvalidArgument, "[openai] the prompt is empty"}, std::string(param));
  const bool asked = r.engine.max_tokens >= 0;
  if (auto failure = too_long(engine, static_cast<int64_t>(tokens.size()), r.engine.max_tokens, asked, param))
    return std::unexpected(std::move(*failure));
  llm::Request out = r.engine;
  out.prompt = std::move(tokens);
  return out;
}

// A grammar that cannot be compiled is the client's mistake, also where it asks for what is not built.
ApiError refused_grammar(const Status& why, const std::string& field) {
  return ApiError(Status(Code::kInvalidArgument, fmt::format("[openai] '{}': {}", field, why.message())), field,
                  "invalid_grammar");
}

// The parts of a request that need the vocabulary.
std::optional<ApiError> add_mask(const llm::Engine& engine, GenerationRequest& r) {
  llm::MaskFactory grammar;
  if (r.constraint) {
    auto compiled = engine.compile_grammar(r.constraint->grammar);
    if (!compiled) return refused_grammar(compiled.error(), r.constraint->field);
    grammar = std::move(*compiled);
  }
  if (r.bad_words.empty() && r.allowed_token_ids.empty()) {
    r.engine.make_mask = std::move(grammar);
    return {};
  }
  auto rules = RequestMaskRules::create(engine.tokenizer(), engine.config().vocab, r.allowed_token_ids, r.bad_words);
  if (!rules) return ApiError(rules.error(), r.allowed_token_ids.empty() ? "bad_words" : "allowed_token_ids");
  r.engine.make_mask = [shared = std::move(*rules), grammar = std::move(grammar)] {
    return grammar ? make_request_mask(shared, grammar()) : make_request_mask(shared);
  };
  return {};
}

// Clients send every field that they know, empty ones as null: to a template a field that is there means something.
json::array without_nulls(const json::array& messages) {
  json::array out = messages;
  for (json::value& value : out) {
    json::object& message = value.get_object();
    json::object kept;
    for (auto& [key, field] : message)
      if (key == "content" || !(field.is_null() || (key == "tool_calls" && field == json::array())))
        kept[key] = std::move(field);
    message = std::move(kept);
  }
  return out;
}

bool is_special(const Tokenizer& tokenizer, std::string_view text) {
  const auto id = tokenizer.token_id(text);
  return id && tokenizer.is_special(*id);
}

// Where in the answer a grammar begins: behind the thought, where there is one.
grammar::Lead lead_of(const Tokenizer& tokenizer, const ChatReading& reading, std::string_view prompt) {
  if (!reading.reasoning) return {};
  const auto& [open, close] = *reading.reasoning;
  const size_t end = prompt.find_last_not_of(" \n");
  if (end != std::string_view::npos && prompt.substr(0, end + 1).ends_with(close)) return {};  // thinking is off
  using Kind = grammar::Lead::Kind;
  return {reading.in_thought ? Kind::kOpen : Kind::kOptional, open, close, is_special(tokenizer, close)};
}

// The grammar of the calls that the request demands.
Constraint demanded(const Tokenizer& tokenizer, const ChatRequest& r) {
  tools::DemandedCalls wanted{.format = r.reading.tool_format, .several = r.parallel_tool_calls};
  std::string key = fmt::format("{} {} ", tools::tool_format_name(wanted.format), wanted.several);
  for (const tools::Tool& tool : r.callable) key += tool.name + " " + json::serialize(tool.parameters) + "\n";
  std::vector<std::string> special;
  for (const std::string_view mark : tools::tool_markers(wanted.format))
    if (is_special(tokenizer, mark)) special.emplace_back(mark);
  wanted.is_special = [special = std::move(special)](std::string_view mark) {
    return std::ranges::find(special, mark) != special.end();
  };
  llm::GrammarSpec grammar{.kind = llm::GrammarSpec::Kind::kBuilt, .text = std::move(key)};
  const size_t bytes = grammar.text.size();
  grammar.build = [callable = r.callable, wanted = std::move(wanted),
                   bytes](grammar::Rules& rules) -> Result<grammar::Expr> {
    if (bytes > limits::kGrammarBytesMax)
      return invalid("[tools] {} bytes of parameters are over the limit of {}", bytes, limits::kGrammarBytesMax);
    return tools::demanded_calls(rules, callable, wanted);
  };
  return {std::move(grammar), "tools"};
}

// How the answer is to be read, and what its grammar must know of that.
void read_as(const serving::Servable& model, ChatRequest& r, std::string_view prompt) {
  const Tokenizer& tokenizer = model.language->tokenizer();
  ChatReading& reading = r.reading;
  reading.tool_format = model.dialect.tool_format;
  reading.calls_max = r.parallel_tool_calls ? std::numeric_limits<int>::max() : 1;
  for (const tools::Tool& tool : r.callable) reading.tool_names.push_back(tool.name);
  reading.reasoning = model.dialect.reasoning;
  reading.in_thought = reading.reasoning && tools::ends_in_thought(prompt, *reading.reasoning);
  if (r.must_call) r.constraint = demanded(tokenizer, r);
  if (r.constraint) r.constraint->grammar.lead = lead_of(tokenizer, reading, prompt);
  const auto show = [&](std::string_view mark) {
    if (is_special(tokenizer, mark)) r.engine.shown_tokens.push_back(*tokenizer.token_id(mark));
  };
  if (!reading.tool_names.empty())
    for (const std::string_view mark : tools::tool_markers(reading.tool_format)) show(mark);
  if (reading.reasoning) {
    show(reading.reasoning->open);
    show(reading.reasoning->close);
  }
}

}  // namespace

Parsed<TokenIds> encode_prompt(const llm::Engine& engine, const Prompt& prompt, bool add_special,
                               std::string_view param) {
  if (const auto* text = std::get_if<std::string>(&prompt)) {
    auto ids = engine.tokenizer().encode(*text, add_special);
    if (!ids) return refuse(ids.error(), std::string(param));
    return std::move(*ids);
  }
  const auto& ids = std::get<TokenIds>(prompt);
  for (const int32_t id : ids)
    if (id < 0 || id >= engine.config().vocab)
      return refuse({Code::kInvalidArgument, fmt::format("[openai] '{}': token id {} is outside the vocabulary of {}",
                                                         param, id, engine.config().vocab)},
                    std::string(param));
  return ids;
}

Parsed<std::string> render_chat(const llm::Engine& engine, const ChatRequest& request) {
  RenderOptions options{.add_generation_prompt = request.add_generation_prompt,
                        .continue_final_message = request.continue_final_message,
                        .tools = request.tools,
                        .documents = request.documents,
                        .variables = request.template_variables};
  if (!request.chat_template.empty())
    return refuse({Code::kPermissionDenied, "[openai] a template of the client's own is not run by this server"},
                  "chat_template");
  if (!engine.chat_template())
    return refuse(
        {Code::kInvalidArgument, "[openai] this model has no chat template (it is a base model): use /v1/completions"},
        "messages", "no_chat_template");
  auto text = engine.chat_template()->render(without_nulls(request.messages), options);
  if (!text) return refuse(text.error(), "messages");
  return std::move(*text);
}

Parsed<std::vector<llm::Request>> prepare(const serving::Servable& model, CompletionRequest& r) {
  const llm::Engine& engine = *model.language;
  if (auto failure = add_mask(engine, r)) return std::unexpected(std::move(*failure));
  std::vector<llm::Request> list;
  for (const Prompt& prompt : r.prompts) {
    auto tokens = encode_prompt(engine, prompt, r.add_special_tokens, "prompt");
    if (!tokens) return std::unexpected(std::move(tokens).error());
    auto one = prepare_one(engine, r, std::move(*tokens), "prompt");
    if (!one) return std::unexpected(std::move(one).error());
    list.push_back(std::move(*one));
  }
  return list;
}

Parsed<std::vector<llm::Request>> prepare(const serving::Servable& model, ChatRequest& r) {
  const llm::Engine& engine = *model.language;
  auto text = render_chat(engine, r);
  if (!text) return std::unexpected(std::move(text).error());
  read_as(model, r, *text);
  if (auto failure = add_mask(engine, r)) return std::unexpected(std::move(*failure));
  auto tokens = encode_prompt(engine, std::move(*text), r.add_special_tokens, "messages");
  if (!tokens) return std::unexpected(std::move(tokens).error());
  auto one = prepare_one(engine, r, std::move(*tokens), "messages");
  if (!one) return std::unexpected(std::move(one).error());
  std::vector<llm::Request> list;
  list.push_back(std::move(*one));
  return list;
}

}  // namespace ingot::openai
