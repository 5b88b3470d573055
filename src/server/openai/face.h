// OpenAI's interface: its routes, and what their handlers share.
//
// Feeds http/router. Ownership: borrows repository and workers, which outlive the server. Thread-safety: any.
#pragma once

#include <algorithm>

#include "server/acquire.h"
#include "server/http/router.h"
#include "server/http/workers.h"
#include "server/openai/api_error.h"
#include "serving/model_repository.h"

namespace ingot::openai {

struct Face {
  serving::ModelRepository& models;
  http::Workers& workers;
  bool clients_may_hurry = false;  // a priority below 0 is taken
};

// Lower runs first: a client may step back behind others, but before them only where that is allowed.
inline int32_t allowed_priority(bool clients_may_hurry, int32_t asked) {
  return clients_may_hurry ? asked : std::max(asked, 0);
}

// /v1/models, /v1/completions, /v1/chat/completions, /v1/embeddings, /tokenize, /detokenize.
void add_routes(http::Router& router, const Face& face);

// The language model of that name; "" is the only one there is.
// Errors: kNotFound (code model_not_found), kInvalidArgument (a tensor model, or several and no name), kUnavailable.
Parsed<std::shared_ptr<serving::Servable>> find_model(const Face& face, const std::string& name);

// Runs work() on a worker. Where it fails for a model that was put away, waits for the model and runs it once more.
template <class Work>
http::asio::awaitable<std::invoke_result_t<Work>> run_on_model(const Face& face, Work work) {
  const auto shared = std::make_shared<Work>(std::move(work));
  auto again = [shared] { return (*shared)(); };
  auto done = co_await face.workers.run(again);
  if (done || done.error().idle_model.empty()) co_return done;
  const auto kept = co_await server::acquire(face.models, done.error().idle_model, 0);
  if (!kept) co_return std::unexpected(ApiError(kept.error(), "model", "model_not_ready"));
  co_return co_await face.workers.run(again);
}

// What is said when workers.full().
inline ApiError too_busy() {
  return {Status(Code::kResourceExhausted, "[openai] too many requests wait to be read: try again later")};
}

// The handlers, each in its own file.
http::asio::awaitable<void> handle_completions(const Face& face, http::Exchange& x);
http::asio::awaitable<void> handle_chat(const Face& face, http::Exchange& x);
http::asio::awaitable<void> handle_embeddings(const Face& face, http::Exchange& x);
http::asio::awaitable<void> handle_tokenize(const Face& face, http::Exchange& x);
http::asio::awaitable<void> handle_detokenize(const Face& face, http::Exchange& x);
http::asio::awaitable<void> handle_models(const Face& face, http::Exchange& x);
http::asio::awaitable<void> handle_model(const Face& face, http::Exchange& x);

}  // namespace ingot::openai
