#include "server/kserve/face.h"

#include <boost/json.hpp>
#include <charconv>

#include "formats/printable.h"
#include "server/acquire.h"
#include "server/kserve/logging.h"

namespace ingot::kserve {
namespace {

namespace json = boost::json;
using http::asio::awaitable;

http::Response object_response(const json::object& object) {
  http::Response r;
  r.body = json::serialize(object);
  return r;
}

std::string version_of(const http::Request& request) {
  return request.captures.size() > 1 ? request.captures[1] : std::string();
}

// A handler that answers with what `describe` makes of the path's model.
using Describe = json::object (*)(const serving::Servable&);

awaitable<void> describe_model(const Face& face, http::Exchange& x, Describe describe) {
  const auto model = co_await acquire_model(face, x.request());
  http::Response r = model ? object_response(describe(**model)) : error_response(model.error());
  co_await x.respond(std::move(r));
}

// Does not load what was put away.
awaitable<void> handle_stats(const Face& face, http::Exchange& x) {
  const auto model = find_model(face.models, x.request().captures.front(), version_of(x.request()));
  http::Response r = model ? object_response(model_stats(**model)) : error_response(model.error());
  co_await x.respond(std::move(r));
}

awaitable<void> handle_metadata(const Face& face, http::Exchange& x) {
  const auto model = co_await acquire_model(face, x.request());
  const bool one = x.request().captures.size() > 1;
  http::Response r;
  if (model)
    r = object_response(model_metadata(
        **model, one ? std::vector<int64_t>{(*model)->version} : face.models.ready_versions((*model)->name)));
  else
    r = error_response(model.error());
  co_await x.respond(std::move(r));
}

awaitable<void> handle_health(const Face& face, http::Exchange& x, bool ready) {
  http::Response r;
  r.content_type = "text/plain";
  if (ready && !face.health.ready()) r.status = 503;
  co_await x.respond(std::move(r));
}

awaitable<void> handle_model_ready(const Face& face, http::Exchange& x) {
  const auto ready = check_ready(face.models, x.request().captures.front(), version_of(x.request()));
  http::Response r = ready ? http::Response{} : error_response(ready.error());
  co_await x.respond(std::move(r));
}

awaitable<void> handle_server(const Face& face, http::Exchange& x) {
  http::Response r = object_response(server_metadata(face.regions));
  co_await x.respond(std::move(r));
}

awaitable<void> handle_all_stats(const Face& face, http::Exchange& x) {
  http::Response r = object_response(all_stats(face.models));
  co_await x.respond(std::move(r));
}

Result<http::Response> change_logging(const std::string& body) {
  INGOT_TRY(set_log_settings(INGOT_TRY(object_of(body))));
  return object_response(log_settings());
}

awaitable<void> handle_logging(const Face&, http::Exchange& x) {
  http::Response r = object_response(log_settings());
  co_await x.respond(std::move(r));
}

awaitable<void> handle_change_logging(const Face&, http::Exchange& x) {
  const auto done = change_logging(x.request().body);
  http::Response r = done ? *done : error_response(done.error());
  co_await x.respond(std::move(r));
}

awaitable<void> refuse(http::Exchange& x, const char* what) {
  http::Response r = error_response({Code::kUnimplemented, what});
  co_await x.respond(std::move(r));
}

// 0 of "".
Result<int64_t> version_number(std::string_view version) {
  int64_t number = 0;
  if (version.empty()) return number;
  const auto [end, ec] = std::from_chars(version.data(), version.data() + version.size(), number);
  if (ec != std::errc() || end != version.data() + version.size() || number < 1)
    return not_found("[kserve] '{}' is no version", printable(version));
  return number;
}

// An unknown model in Triton's words: its clients' tests look for them.
Result<std::shared_ptr<serving::Servable>> told(const serving::ModelRepository& models, std::string_view name,
                                                int64_t number, Result<std::shared_ptr<serving::Servable>> found) {
  if (found || found.error().code() != Code::kNotFound) return found;
  if (models.knows(name))
    return not_found("[kserve] Request for unknown model: '{}' version {} is not found", printable(name), number);
  return not_found("[kserve] Request for unknown model: '{}' is not found", printable(name));
}

}  // namespace

std::string error_body(int, const Status& failure) {
  return json::serialize(json::object{{"error", valid_utf8(failure.message())}});
}

Result<json::object> object_of(std::string_view body, int depth_max) {
  json::parse_options options;
  options.max_depth = static_cast<size_t>(depth_max);
  boost::system::error_code ec;
  json::value document = json::parse(body, ec, {}, options);
  if (ec) return invalid("[kserve] failed to parse the request JSON buffer: {}", ec.message());
  if (!document.is_object()) return invalid("[kserve] the request is not a JSON object");
  return std::move(document.get_object());
}

http::Response error_response(const Status& failure) { return http::error_response(failure, error_body); }

Result<std::shared_ptr<serving::Servable>> find_model(const serving::ModelRepository& models, std::string_view name,
                                                      std::string_view version) {
  const int64_t number = INGOT_TRY(version_number(version));
  return told(models, name, number, models.find(name, number));
}

Result<std::shared_ptr<serving::Servable>> use_model(serving::ModelRepository& models, std::string_view name,
                                                     std::string_view version, bool& comes) {
  const int64_t number = INGOT_TRY(version_number(version));
  return told(models, name, number, models.use(name, number, &comes));
}

Result<void> check_ready(const serving::ModelRepository& models, std::string_view name, std::string_view version) {
  const int64_t number = INGOT_TRY(version_number(version));
  bool comes = false;
  const auto found = told(models, name, number, models.find(name, number, &comes));
  if (!found && !comes) return std::unexpected(found.error());
  return {};
}

awaitable<Result<std::shared_ptr<serving::Servable>>> acquire_model(serving::ModelRepository& models, std::string name,
                                                                    std::string version) {
  const auto number = version_number(version);
  if (!number) co_return std::unexpected(number.error());
  auto found = co_await server::acquire(models, name, *number);
  co_return told(models, name, *number, std::move(found));
}

awaitable<Result<std::shared_ptr<serving::Servable>>> acquire_model(const Face& face, const http::Request& request) {
  return acquire_model(face.models, request.captures.front(), version_of(request));
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
    add("GET", model, bind(handle_metadata));
    add("GET", model + "/ready", bind(handle_model_ready));
    add("GET", model + "/config", describe(model_config));
    add("GET", model + "/stats", bind(handle_stats));
    add("POST", model + "/infer", bind(handle_infer));
    add("POST", model + "/generate", bind(handle_generate));
    add("POST", model + "/generate_stream", bind(handle_generate_stream));
  }
  add("GET", "/v2/logging", bind(handle_logging));
  add("POST", "/v2/logging", bind(handle_change_logging));
  add("POST", "/v2/repository/index", bind(handle_index));
  add("POST", "/v2/repository/models/{model}/load", bind(handle_load));
  add("POST", "/v2/repository/models/{model}/unload", bind(handle_unload));
  add_shared_memory_routes(router, face.regions);
  const auto no_cuda = [](http::Exchange& x) {
    return refuse(x, "[kserve] CUDA shared memory is not supported: this server runs on the CPU");
  };
  for (const std::string place : {"/v2/cudasharedmemory", "/v2/cudasharedmemory/region/{region}"}) {
    add("GET", place + "/status", no_cuda);
    add("POST", place + "/unregister", no_cuda);
  }
  add("POST", "/v2/cudasharedmemory/region/{region}/register", no_cuda);
  for (const char* path : {"/v2/trace/setting", "/v2/models/{model}/trace/setting"})
    for (const char* method : {"GET", "POST"})
      add(method, path, [](http::Exchange& x) {
        return refuse(x, "[kserve] tracing is not supported: the access log and /metrics tell what each request took");
      });
}

}  // namespace ingot::kserve
