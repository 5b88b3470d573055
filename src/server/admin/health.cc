#include "server/admin/health.h"

#include <boost/json.hpp>
#include <cmath>

#include "formats/printable.h"

namespace ingot::admin {

namespace json = boost::json;

std::string Health::json() const {
  json::array list;
  for (const serving::ModelStatus& m : models.index()) {
    json::object entry{{"name", valid_utf8(m.name)},
                       {"version", m.version},
                       {"kind", serving::model_kind_name(m.kind)},
                       {"state", serving::model_state_name(m.state)},
                       {"load_seconds", std::round(m.load_seconds * 1000) / 1000},
                       {"progress", std::round(m.progress * 1000) / 1000}};
    if (!m.reason.empty()) entry["reason"] = valid_utf8(m.reason);
    list.push_back(std::move(entry));
  }
  const char* status = draining.load() ? "draining" : ready() ? "ready" : "loading";
  return json::serialize(json::object{{"status", status}, {"models", std::move(list)}});
}

void add_health_routes(http::Router& router, const Health& health) {
  const auto add = [&](const char* path, bool always) {
    router.add({.method = "GET",
                .pattern = path,
                .handler = [&health, always](http::Exchange& x) -> http::asio::awaitable<void> {
                  http::Response response;
                  response.status = always || health.ready() ? 200 : 503;
                  response.body = always ? R"({"status":"live"})" : health.json();
                  if (response.status == 503) response.headers.emplace_back("Retry-After", "1");
                  co_await x.respond(std::move(response));
                },
                .open = true});
  };
  add("/live", true);
  add("/ready", false);
  add("/health", false);
}

}  // namespace ingot::admin
