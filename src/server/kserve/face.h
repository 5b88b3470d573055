// The KServe v2 interface with Triton's extensions: its routes, and what their handlers share.
//
// Feeds http/router. Errors are {"error": "…"}. Ownership: borrows what outlives the server. Thread-safety: any.
#pragma once

#include <boost/json/object.hpp>

#include "base/limits.h"
#include "server/admin/health.h"
#include "server/http/router.h"
#include "server/http/workers.h"
#include "serving/model_repository.h"

namespace ingot::kserve {

struct Face {
  serving::ModelRepository& models;
  http::Workers& workers;
  const admin::Health& health;
  size_t body_bytes_max = limits::kHttpBodyBytesMax;  // also of a compressed one
};

void add_routes(http::Router& router, const Face& face);

// {"error": "…"}
std::string error_body(int http_status, const Status& failure);
http::Response error_response(const Status& failure);

// The model of a path's {model} and {version} captures. Errors: those of the repository, kInvalidArgument (version).
Result<std::shared_ptr<serving::Servable>> find_model(const Face& face, const http::Request& request);

// Server and model descriptions (describe.cc).
boost::json::object server_metadata();
boost::json::object model_metadata(const serving::Servable& model);
boost::json::object model_config(const serving::Servable& model);
boost::json::object model_stats(const serving::Servable& model);

http::asio::awaitable<void> handle_infer(const Face& face, http::Exchange& x);
// Repository extension (repository.cc).
http::asio::awaitable<void> handle_index(const Face& face, http::Exchange& x);
http::asio::awaitable<void> handle_load(const Face& face, http::Exchange& x);
http::asio::awaitable<void> handle_unload(const Face& face, http::Exchange& x);

}  // namespace ingot::kserve
