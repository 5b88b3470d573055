#include "server/kserve/face.h"

#include <boost/json.hpp>
#include <charconv>

#include "formats/printable.h"

namespace ingot::kserve {
namespace {

namespace json = boost::json;
using http::asio::awaitable;

http::Response object_response(const json::object& object) {
  http::Response r;
  r.body = json::serialize(object);
  return r;
}

// A handler that answers with what `describe` makes of the path's model.
using Describe = json::object (*)(const serving::Servable&);

awaitable<void> describe_model(const Face& face, http::Exchange& x, Describe describe) {
  const auto model = find_model(face, x.request());
  http::Response r = model ? object_response(describe(**model)) : error_response(model.error());
  co_await x.respond(std::move(r));
}

awaitable<void> handle_health(const Face& face, http::Exchange& x, bool ready) {
  http::Response r;
  r.content_type = "text/plain";
  if (ready && !face.health.ready()) r.status = 503;
  co_await x.respond(std::move(r));
}

awaitable<void> handle_model_ready(const Face& face, http::Exchange& x) {
  const auto model = find_model(face, x.request());
  http::Response r = model ? http::Response{} : error_response(model.error());
  co_await x.respond(std::move(r));
}

awaitable<void> handle_server(const Face&, http::Exchange& x) {
  http::Response r = object_response(server_metadata());
  co_await x.respond(std::move(r));
}

awaitable<void> handle_all_stats(const Face& face, http::Exchange& x) {
  json::array list;
  for (const auto& model : face.models.ready_models()) {
    json::object stats = model_stats(*model);
    for (json::value& v : stats["model_stats"].get_array()) list.push_back(std::move(v));
  }
  http::Response r = object_response({{"model_stats", std::move(list)}});
  co_await x.respond(std::move(r));
}

awaitable<void> refuse(http::Exchange& x, const char* what) {
  http::Response r = error_response({Code::kUnimplemented, what});
  co_await x.respond(std::move(r));
}

}  // namespace

std::string error_body(int, const Status& failure) {
  return json::serialize(json::object{{"error", valid_utf8(failure.message())}});
}

http::Response error_response(const Status& failure) { return http::error_response(failure, error_body); }

Result<std::shared_ptr<serving::Servable>> find_model(const Face& face, const http::Request& request) {
  const std::string& name = request.captures.front();
  int64_t version = 0;
  if (request.captures.size() > 1) {
    const std::string& text = request.captures[1];
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), version);
    if (ec != std::errc() || end != text.data() + text.size() || version < 1)
      return not_found("[kserve] '{}' is no version", printable(text));
  }
  auto found = face.models.find(name, version);
  if (found || found.error().code() != Code::kNotFound) return found;
  // Triton's words: its clients' tests look for them.
  if (face.models.knows(name))
    return not_found("[kserve] Request for unknown model: '{}' version {} is not found", printable(name), version);
  return not_found("[kserve] Request for unknown model: '{}' is not found", printable(name));
}

void add_routes(http::Router& router, const Face& face) {
  router.set_error_body("/v2", error_body);
  const auto add = [&](const char* method, const std::string& path, http::Handler handler, bool open = false) {
    router.add({.method = method, .pattern = path, .handler = std::move(handler), .open = open});
  };
  const auto bind = [&](auto handle) { return [face, handle](http::Exchange& x) { return handle(face, x); }; };
  const auto describe = [&](Describe d) { return [face, d](http::Exchange& x) { return describe_model(face, x, d); }; };
  add("GET", "/v2", bind(handle_server));
  add("GET", "/v2/health/live", [face](http::Exchange& x) { return handle_health(face, x, false); }, true);
  add("GET", "/v2/health/ready", [face](http::Exchange& x) { return handle_health(face, x, true); }, true);
  add("GET", "/v2/models/stats", bind(handle_all_stats));
  for (const std::string model : {"/v2/models/{model}", "/v2/models/{model}/versions/{version}"}) {
    add("GET", model, describe(model_metadata));
    add("GET", model + "/ready", bind(handle_model_ready));
    add("GET", model + "/config", describe(model_config));
    add("GET", model + "/stats", describe(model_stats));
    add("POST", model + "/infer", bind(handle_infer));
  }
  add("POST", "/v2/repository/index", bind(handle_index));
  add("POST", "/v2/repository/models/{model}/load", bind(handle_load));
  add("POST", "/v2/repository/models/{model}/unload", bind(handle_unload));
  for (const char* path : {"/v2/cudasharedmemory/status", "/v2/trace/setting"})
    add("GET", path, [](http::Exchange& x) { return refuse(x, "[kserve] this extension is not supported"); });
}

}  // namespace ingot::kserve
