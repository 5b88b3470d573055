// Whether a request is to be read and handled, judged from its head alone: its key, path and method.
//
// Feeds connection.cc. Thread-safety: any thread.
#pragma once

#include <optional>

#include "server/http/connection.h"
#include "server/http/request_head.h"

namespace ingot::http {

// Why it is not (401, 400, 404, 405); nothing if it is. Paths are told apart only to those with a key.
// Sets request.tenant.
std::optional<Refusal> judge(ServerContext& server, Request& request, const Result<RouteMatch>& match);

}  // namespace ingot::http
