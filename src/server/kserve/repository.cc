// The model repository extension: which models there are, and their loading and unloading by hand.
#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>

#include "formats/printable.h"
#include "server/http/event_channel.h"
#include "server/kserve/face.h"
#include "serving/config/model_settings.h"

namespace ingot::kserve {
namespace {

namespace json = boost::json;
using http::asio::awaitable;

// The body of these requests, which may be empty.
Result<json::object> read_body(const std::string& body) {
  if (body.empty()) return json::object();
  return object_of(body);
}

Result<http::Response> index(const Face& face, const std::string& body) {
  const json::object request = INGOT_TRY(read_body(body));
  const json::value* flag = request.if_contains("ready");
  if (flag && !flag->is_bool()) return invalid("[kserve] 'ready' must be true or false");
  const bool only_ready = flag && flag->get_bool();
  http::Response response;
  response.body = json::serialize(model_index(face.models, only_ready));
  return response;
}

}  // namespace

json::array model_index(const serving::ModelRepository& models, bool only_ready) {
  json::array list;
  for (const serving::ModelStatus& m : models.index()) {
    if (only_ready && m.state != serving::ModelState::kReady) continue;
    json::object entry{{"name", valid_utf8(m.name)}};
    if (!m.never_loaded) {
      entry["version"] = std::to_string(m.version);
      entry["state"] = serving::model_state_name(m.state);
      if (!m.reason.empty()) entry["reason"] = valid_utf8(m.reason);
    }
    list.push_back(std::move(entry));
  }
  for (const auto& [alias, model] : models.aliases()) {
    const auto target = models.find(model);
    if (only_ready && !target) continue;
    json::object entry{{"name", valid_utf8(alias)}, {"reason", "alias of '" + valid_utf8(model) + "'"}};
    if (target) entry["version"] = std::to_string((*target)->version);
    entry["state"] =
        serving::model_state_name(target ? serving::ModelState::kReady : serving::ModelState::kUnavailable);
    list.push_back(std::move(entry));
  }
  return list;
}

Result<void> start_load(serving::ModelRepository& models, const std::string& name, const json::object& parameters,
                        std::function<void(Result<void>)> done) {
  INGOT_TRY(models.may_change());
  std::string config;
  for (const auto& [key, value] : parameters) {
    const std::string_view parameter = key;
    if (parameter != "config")
      return unimplemented("[kserve] load parameter '{}' is not supported yet", printable(parameter));
    if (!value.is_string()) return invalid("[kserve] load parameter 'config' must be a string of JSON");
    config = value.get_string();
    if (config.empty()) return invalid("[kserve] load parameter 'config' is empty");
    if (config.size() > serving::kConfigBytesMax)
      return invalid("[kserve] load parameter 'config' has {} bytes, at most {} are taken", config.size(),
                     serving::kConfigBytesMax);
  }
  auto told = [name, done = std::move(done)](Result<void> loaded) {
    if (!loaded) loaded = invalid("[kserve] load failed for model '{}': {}", printable(name), loaded.error().message());
    done(std::move(loaded));
  };
  const auto begun = models.load(name, std::move(told), std::move(config));
  if (!begun && begun.error().code() == Code::kNotFound)
    return error(Code::kInternal, "[kserve] failed to load '{}', failed to poll from model repository",
                 printable(name));
  return begun;
}

Result<void> start_unload(serving::ModelRepository& models, const std::string& name) {
  INGOT_TRY(models.may_change());
  return models.unload(name);
}

awaitable<void> handle_index(const Face& face, http::Exchange& x) {
  const auto done = index(face, x.request().body);
  http::Response response = done ? *done : error_response(done.error());
  co_await x.respond(std::move(response));
}

// Answers when the model is ready.
awaitable<void> handle_load(const Face& face, http::Exchange& x) {
  const std::string& name = x.request().captures.front();
  const auto strand = co_await http::asio::this_coro::executor;
  http::ChannelReader<Result<void>> reader(strand);
  Result<void> done;
  const auto body = read_body(x.request().body);
  if (!body) done = std::unexpected(body.error());
  if (done) {
    const json::value* v = body->if_contains("parameters");
    const json::object* parameters = v ? v->if_object() : nullptr;
    done = start_load(face.models, name, parameters ? *parameters : json::object(),
                      [channel = reader.channel()](Result<void> loaded) { channel->push(std::move(loaded)); });
  }
  if (done) {
    const auto results = co_await reader.take();
    done = results.front();
  }
  http::Response response = done ? http::Response{} : error_response(done.error());
  co_await x.respond(std::move(response));
}

awaitable<void> handle_unload(const Face& face, http::Exchange& x) {
  const auto body = read_body(x.request().body);
  Result<void> done;
  if (!body) done = std::unexpected(body.error());
  if (done) done = start_unload(face.models, x.request().captures.front());
  http::Response response = done ? http::Response{} : error_response(done.error());
  co_await x.respond(std::move(response));
}

}  // namespace ingot::kserve
