#include "server/openai/prepare.h"

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
  auto text = engine.chat_template()->render(request.messages, options);
  if (!text) return refuse(text.error(), "messages");
  return std::move(*text);
}

Parsed<std::vector<llm::Request>> prepare(const llm::Engine& engine, const CompletionRequest& request) {
  CompletionRequest r = request;
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

Parsed<std::vector<llm::Request>> prepare(const llm::Engine& engine, const ChatRequest& request) {
  ChatRequest r = request;
  if (auto failure = add_mask(engine, r)) return std::unexpected(std::move(*failure));
  auto text = render_chat(engine, r);
  if (!text) return std::unexpected(std::move(text).error());
  auto tokens = encode_prompt(engine, std::move(*text), r.add_special_tokens, "messages");
  if (!tokens) return std::unexpected(std::move(tokens).error());
  auto one = prepare_one(engine, r, std::move(*tokens), "messages");
  if (!one) return std::unexpected(std::move(one).error());
  std::vector<llm::Request> list;
  list.push_back(std::move(*one));
  return list;
}

}  // namespace ingot::openai
