#include "server/http/admission.h"

#include "formats/printable.h"

namespace ingot::http {

std::optional<Refusal> judge(ServerContext& server, Request& request, const Result<RouteMatch>& match) {
  const bool open = match && match->route && match->route->open;
  if (!open && server.keys.required()) {
    const std::string_view bearer = request.header("Authorization");
    auto tenant = server.keys.tenant_of(bearer.empty() ? request.header("X-Api-Key") : bearer);
    if (!tenant)
      return Refusal{
          401, {Code::kUnauthenticated, "[http] a valid API key is needed: send it as 'Authorization: Bearer KEY'"}};
    request.tenant = std::move(*tenant);
  }
  if (!match) return Refusal{400, match.error()};
  if (match->route) return {};
  const std::string path = printable(request.path);
  if (match->allow.empty()) return Refusal{404, {Code::kNotFound, fmt::format("[http] no such path: {}", path)}};
  return Refusal{405,
                 {Code::kUnimplemented,
                  fmt::format("[http] {} answers {}, not {}", path, match->allow, printable(request.method))}};
}

}  // namespace ingot::http
