#include "server/openai/face.h"

#include "formats/printable.h"

namespace ingot::openai {

Parsed<std::shared_ptr<serving::Servable>> find_model(const Face& face, const std::string& name) {
  std::string wanted = name;
  if (wanted.empty()) {
    for (const serving::ModelStatus& m : face.models.index()) {
      if (m.kind != serving::ModelKind::kLanguage || m.name == wanted) continue;
      if (!wanted.empty())
        return std::unexpected(ApiError(
            Status(Code::kInvalidArgument, "[openai] 'model' is missing, and several models are served"), "model"));
      wanted = m.name;
    }
    if (wanted.empty())
      return std::unexpected(ApiError(Status(Code::kNotFound, "[openai] no language model is served here"), "model"));
  }
  bool comes = false;
  auto found = face.models.use(wanted, 0, &comes);
  if (!found) {
    const bool unknown = found.error().code() == Code::kNotFound;
    ApiError failure(found.error(), "model", unknown ? "model_not_found" : "model_not_ready");
    if (comes) failure.idle_model = wanted;
    return std::unexpected(std::move(failure));
  }
  if (!(*found)->language)
    return std::unexpected(
        ApiError(Status(Code::kInvalidArgument,
                        fmt::format("[openai] model '{}' is a tensor model: ask for it at /v2/models/{}/infer",
                                    printable(wanted), printable(wanted))),
                 "model"));
  return std::move(*found);
}

void add_routes(http::Router& router, const Face& face) {
  using Handle = http::asio::awaitable<void> (*)(const Face&, http::Exchange&);
  const auto add = [&](const char* method, const char* path, Handle handle) {
    router.add(
        {.method = method, .pattern = path, .handler = [face, handle](http::Exchange& x) { return handle(face, x); }});
  };
  add("POST", "/v1/completions", handle_completions);
  add("POST", "/v1/chat/completions", handle_chat);
  add("POST", "/v1/embeddings", handle_embeddings);
  add("GET", "/v1/models", handle_models);
  add("GET", "/v1/models/{model}", handle_model);
  add("POST", "/tokenize", handle_tokenize);
  add("POST", "/detokenize", handle_detokenize);
}

}  // namespace ingot::openai
