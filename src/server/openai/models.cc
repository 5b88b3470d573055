// /v1/models and /v1/models/{model}: the language models that answer now.
#include <boost/json.hpp>
#include <ctime>
#include <set>

#include "formats/printable.h"
#include "server/openai/face.h"

namespace ingot::openai {
namespace {

namespace json = boost::json;
using http::asio::awaitable;

// id: the model's name, or an alias of it.
json::object card(const serving::Servable& m, const std::string& id) {
  return {{"id", id},
          {"object", "model"},
          {"created", m.loaded_at},
          {"owned_by", "ingot"},
          {"root", m.name},
          {"parent", nullptr},
          {"max_model_len", m.language->context()}};
}

// Of a model that is loaded when a request names it.
json::object idle_card(const std::string& id, const std::string& name) {
  return {{"id", id}, {"object", "model"}, {"created", 0}, {"owned_by", "ingot"}, {"root", name}, {"parent", nullptr}};
}

}  // namespace

awaitable<void> handle_models(const Face& face, http::Exchange& x) {
  json::array list;
  for (const auto& m : face.models.ready_models())
    if (m->language) list.push_back(card(*m, m->name));
  std::set<std::string> idle;
  for (const serving::ModelStatus& m : face.models.index())
    if (m.on_demand && m.kind == serving::ModelKind::kLanguage) idle.insert(m.name);
  for (const std::string& name : idle) list.push_back(idle_card(name, name));
  for (const auto& [alias, name] : face.models.aliases()) {
    const auto model = face.models.find(name);
    if (model && (*model)->language) list.push_back(card(**model, alias));
    if (idle.contains(name)) list.push_back(idle_card(alias, name));
  }
  http::Response response;
  response.body = json::serialize(json::object{{"object", "list"}, {"data", std::move(list)}});
  co_await x.respond(std::move(response));
}

awaitable<void> handle_model(const Face& face, http::Exchange& x) {
  const std::string& id = x.request().captures.front();
  const auto model = find_model(face, id);
  const auto aliases = face.models.aliases();
  http::Response response;
  if (model)
    response.body = json::serialize(card(**model, id));
  else if (!model.error().idle_model.empty())
    response.body = json::serialize(idle_card(id, aliases.contains(id) ? aliases.at(id) : id));
  else
    response = error_response(model.error());
  co_await x.respond(std::move(response));
}

}  // namespace ingot::openai
