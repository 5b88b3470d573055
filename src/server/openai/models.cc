// /v1/models and /v1/models/{model}: the language models that answer now.
#include <boost/json.hpp>
#include <ctime>

#include "formats/printable.h"
#include "server/openai/face.h"

namespace ingot::openai {
namespace {

namespace json = boost::json;
using http::asio::awaitable;

json::object card(const serving::Servable& m) {
  return {{"id", m.name},
          {"object", "model"},
          {"created", m.loaded_at},
          {"owned_by", "ingot"},
          {"root", m.name},
          {"parent", nullptr},
          {"max_model_len", m.language->context()}};
}

}  // namespace

awaitable<void> handle_models(const Face& face, http::Exchange& x) {
  json::array list;
  for (const auto& m : face.models.ready_models())
    if (m->language) list.push_back(card(*m));
  http::Response response;
  response.body = json::serialize(json::object{{"object", "list"}, {"data", std::move(list)}});
  co_await x.respond(std::move(response));
}

awaitable<void> handle_model(const Face& face, http::Exchange& x) {
  const auto model = find_model(face, x.request().captures.front());
  http::Response response;
  if (model)
    response.body = json::serialize(card(**model));
  else
    response = error_response(model.error());
  co_await x.respond(std::move(response));
}

}  // namespace ingot::openai
