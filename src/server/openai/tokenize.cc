// /tokenize and /detokenize, in vLLM's form ({"prompt"} or {"messages"}) and llama.cpp's ({"content"}).
#include <boost/json.hpp>

#include "base/limits.h"
#include "formats/printable.h"
#include "server/openai/face.h"
#include "server/openai/prepare.h"

namespace ingot::openai {
namespace {

using http::asio::awaitable;

Parsed<TokenIds> tokens_of(const llm::Engine& engine, Fields& f) {
  if (f.has("messages")) {
    ChatRequest chat;
    read_conversation(f, chat);
    const bool special = f.boolean("add_special_tokens", false);
    if (f.failure()) return std::unexpected(*f.failure());
    auto text = render_chat(engine, chat);
    if (!text) return std::unexpected(std::move(text).error());
    return encode_prompt(engine, std::move(*text), special, "messages");
  }
  const bool llama = f.has("content");
  const char* name = llama ? "content" : "prompt";
  if (!f.has(name)) f.fail("prompt", "is missing: give 'prompt' or 'messages'");
  const std::string text = f.string(name);
  const bool special = f.boolean(llama ? "add_special" : "add_special_tokens", !llama);
  const bool parse_special = f.boolean("parse_special", true);
  if (f.failure()) return std::unexpected(*f.failure());
  auto ids = engine.tokenizer().encode(text, special, parse_special);
  if (!ids) return std::unexpected(ApiError(ids.error(), name));
  return std::move(*ids);
}

Parsed<std::string> tokenize(const Face& face, const std::string& body) {
  auto document = parse_body(body);
  if (!document) return std::unexpected(std::move(document).error());
  Fields f(document->get_object());
  const bool with_strings = f.boolean("return_token_strs", false) || f.boolean("with_pieces", false);
  auto model = find_model(face, f.string("model"));
  if (!model) return std::unexpected(f.failure() ? *f.failure() : std::move(model).error());
  const llm::Engine& engine = *(*model)->language;
  auto ids = tokens_of(engine, f);
  if (!ids) return std::unexpected(std::move(ids).error());
  json::object out{
      {"count", ids->size()}, {"max_model_len", engine.context()}, {"tokens", json::array(ids->begin(), ids->end())}};
  if (with_strings) {
    json::array strings;
    for (const int32_t id : *ids) strings.emplace_back(valid_utf8(engine.tokenizer().token_text(id)));
    out["token_strs"] = std::move(strings);
  }
  return json::serialize(out);
}

Parsed<std::string> detokenize(const Face& face, const std::string& body) {
  auto document = parse_body(body);
  if (!document) return std::unexpected(std::move(document).error());
  Fields f(document->get_object());
  if (!f.has("tokens")) f.fail("tokens", "is missing");
  const TokenIds ids = f.token_ids("tokens", limits::kPromptBytesMax);
  const std::string name = f.string("model");
  if (f.failure()) return std::unexpected(*f.failure());
  auto model = find_model(face, name);
  if (!model) return std::unexpected(std::move(model).error());
  const llm::Engine& engine = *(*model)->language;
  auto checked = encode_prompt(engine, ids, false, "tokens");
  if (!checked) return std::unexpected(std::move(checked).error());
  const std::string text = valid_utf8(engine.tokenizer().decode(*checked, false));
  return json::serialize(json::object{{"prompt", text}, {"content", text}});
}

using Work = Parsed<std::string> (*)(const Face&, const std::string&);

awaitable<void> on_worker(const Face& face, http::Exchange& x, Work work) {
  http::Response response;
  if (face.workers.full()) {
    response = error_response(too_busy());
  } else {
    auto job = [&face, body = std::move(x.mutable_request().body), work] { return work(face, body); };
    Parsed<std::string> done = co_await run_on_model(face, std::move(job));
    if (done)
      response.body = std::move(*done);
    else
      response = error_response(done.error());
  }
  co_await x.respond(std::move(response));
}

}  // namespace

awaitable<void> handle_tokenize(const Face& face, http::Exchange& x) { co_await on_worker(face, x, tokenize); }
awaitable<void> handle_detokenize(const Face& face, http::Exchange& x) { co_await on_worker(face, x, detokenize); }

}  // namespace ingot::openai
