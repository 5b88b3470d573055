// /v2/systemsharedmemory: regions registered, unregistered and told.
#include <boost/json.hpp>

#include "formats/printable.h"
#include "server/kserve/face.h"
#include "server/kserve/shared_memory.h"

namespace ingot::kserve {
namespace {

namespace json = boost::json;
using http::asio::awaitable;

// The {region} of the path; "" where it has none: all of them.
std::string region_of(const http::Request& request) {
  return request.captures.empty() ? std::string() : request.captures.front();
}

Result<uint64_t> count_field(const json::object& body, std::string_view name, bool required) {
  const json::value* v = body.if_contains(name);
  if (!v && !required) return 0;
  if (v && v->is_uint64()) return v->get_uint64();
  if (!v || !v->is_int64() || v->get_int64() < 0) return invalid("[kserve] '{}' must be a count of bytes", name);
  return static_cast<uint64_t>(v->get_int64());
}

Result<void> add_region(SharedRegions& regions, const http::Request& request) {
  const json::object body = INGOT_TRY(object_of(request.body));
  const json::value* key = body.if_contains("key");
  if (!key || !key->is_string()) return invalid("[kserve] 'key' must be a string");
  const uint64_t offset = INGOT_TRY(count_field(body, "offset", false));
  const uint64_t bytes = INGOT_TRY(count_field(body, "byte_size", true));
  return regions.add(region_of(request), std::string(key->get_string()), offset, bytes);
}

Result<http::Response> describe(const SharedRegions& regions, const std::string& name) {
  json::array list;
  for (const auto& r : INGOT_TRY(regions.list(name)))
    list.push_back(
        {{"name", valid_utf8(r->name())}, {"key", r->key()}, {"offset", r->offset()}, {"byte_size", r->bytes()}});
  http::Response response;
  response.body = json::serialize(list);
  return response;
}

awaitable<void> answer(http::Exchange& x, Result<void> done) {
  http::Response response = done ? http::Response{} : error_response(done.error());
  co_await x.respond(std::move(response));
}

awaitable<void> handle_status(SharedRegions& regions, http::Exchange& x) {
  const auto done = describe(regions, region_of(x.request()));
  http::Response response = done ? *done : error_response(done.error());
  co_await x.respond(std::move(response));
}

}  // namespace

void add_shared_memory_routes(http::Router& router, SharedRegions& regions) {
  const auto add = [&](const char* method, const std::string& path, http::Handler handler) {
    router.add({.method = method, .pattern = path, .handler = std::move(handler), .open = false});
  };
  const std::string all = "/v2/systemsharedmemory", one = all + "/region/{region}";
  for (const std::string& place : {all, one}) {
    add("GET", place + "/status", [&regions](http::Exchange& x) { return handle_status(regions, x); });
    add("POST", place + "/unregister",
        [&regions](http::Exchange& x) { return answer(x, regions.remove(region_of(x.request()))); });
  }
  add("POST", one + "/register", [&regions](http::Exchange& x) { return answer(x, add_region(regions, x.request())); });
}

}  // namespace ingot::kserve
