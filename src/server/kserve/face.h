// The KServe v2 interface with Triton's extensions: its routes, and what their handlers share.
//
// Feeds http/router. Errors are {"error": "…"}. Ownership: borrows what outlives the server. Thread-safety: any.
#pragma once

#include <boost/json/object.hpp>
#include <span>

#include "base/limits.h"
#include "server/admin/health.h"
#include "server/http/router.h"
#include "server/http/workers.h"
#include "server/kserve/shared_memory.h"
#include "serving/model_repository.h"

namespace ingot::kserve {

struct Face {
  serving::ModelRepository& models;
  http::Workers& workers;
  const admin::Health& health;
  SharedRegions& regions;
  size_t body_bytes_max = limits::kHttpBodyBytesMax;  // also of a compressed one
  bool clients_may_hurry = false;                     // a priority below 0 is taken, of language models
};

void add_routes(http::Router& router, const Face& face);

// {"error": "…"}
std::string error_body(int http_status, const Status& failure);
http::Response error_response(const Status& failure);

// A body that is a JSON object. Errors: kInvalidArgument.
Result<boost::json::object> object_of(std::string_view body, int depth_max = limits::kJsonDepthMax);

// version: decimal; "" is the latest that is ready. Unknown models are told in Triton's words.
// Errors: kNotFound (name, version), kUnavailable (not loaded, with the reason).
Result<std::shared_ptr<serving::Servable>> find_model(const serving::ModelRepository& models, std::string_view name,
                                                      std::string_view version);
// The same for a request that uses the model. comes: acquire_model() would have it loaded.
Result<std::shared_ptr<serving::Servable>> use_model(serving::ModelRepository& models, std::string_view name,
                                                     std::string_view version, bool& comes);
// Whether a request that names it would be answered. Errors: as find_model.
Result<void> check_ready(const serving::ModelRepository& models, std::string_view name, std::string_view version);
// use_model(), where one that was put away is loaded first.
http::asio::awaitable<Result<std::shared_ptr<serving::Servable>>> acquire_model(serving::ModelRepository& models,
                                                                                std::string name, std::string version);
// That of a path's {model} and {version} captures.
http::asio::awaitable<Result<std::shared_ptr<serving::Servable>>> acquire_model(const Face& face,
                                                                                const http::Request& request);

// Server and model descriptions (describe.cc).
boost::json::object server_metadata(const SharedRegions& regions);
// versions: those to be told.
boost::json::object model_metadata(const serving::Servable& model, std::span<const int64_t> versions);
boost::json::object model_config(const serving::Servable& model);
boost::json::object model_stats(const serving::Servable& model);
// {"model_stats": […]} of all that are ready.
boost::json::object all_stats(const serving::ModelRepository& models);
// [{name, version, state, reason}] of all, or of those that are ready.
boost::json::array model_index(const serving::ModelRepository& models, bool only_ready);

void add_shared_memory_routes(http::Router& router, SharedRegions& regions);

http::asio::awaitable<void> handle_infer(const Face& face, http::Exchange& x);
// Language models: one whole answer, or a stream of server-sent events (generate.cc).
http::asio::awaitable<void> handle_generate(const Face& face, http::Exchange& x);
http::asio::awaitable<void> handle_generate_stream(const Face& face, http::Exchange& x);
// Repository extension (repository.cc). start_load: done is called when the model is ready or has failed, on the
// thread that loads; not after an error. parameters: those of the request.
// Errors: kInternal (unknown, as Triton tells it), kUnimplemented or kInvalidArgument naming the parameter,
// kUnavailable (the server's control mode does not let clients do it), kResourceExhausted (too many loads wait).
Result<void> start_load(serving::ModelRepository& models, const std::string& name,
                        const boost::json::object& parameters, std::function<void(Result<void>)> done);
Result<void> start_unload(serving::ModelRepository& models, const std::string& name);
http::asio::awaitable<void> handle_index(const Face& face, http::Exchange& x);
http::asio::awaitable<void> handle_load(const Face& face, http::Exchange& x);
http::asio::awaitable<void> handle_unload(const Face& face, http::Exchange& x);

}  // namespace ingot::kserve
