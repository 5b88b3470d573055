#include "server/http/request_head.h"

#include <algorithm>
#include <boost/beast/http/error.hpp>
#include <random>

#include "base/limits.h"

namespace ingot::http {
namespace {

bool usable_request_id(std::string_view id) {
  if (id.empty() || id.size() > limits::kRequestIdBytesMax) return false;
  return std::ranges::all_of(id, [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

Request request_of(const boost::beast::http::request_header<>& head) {
  const auto view = [](auto text) { return std::string_view(text.data(), text.size()); };
  Request request;
  request.method = view(head.method_string());
  std::string_view target = view(head.target());
  // The absolute form, as clients use it with proxies.
  if (target.starts_with("http://") || target.starts_with("https://"))
    target.remove_prefix(std::min(target.find('/', 8), target.size()));
  const size_t query = std::min(target.find('?'), target.size());
  request.path = target.substr(0, query);
  if (query < target.size()) request.query = target.substr(query + 1);
  for (const auto& field : head) request.headers.emplace_back(view(field.name_string()), view(field.value()));
  const std::string_view id = request.header("X-Request-Id");
  request.id = usable_request_id(id) ? std::string(id) : new_request_id();
  return request;
}

Refusal head_failure(const boost::system::error_code& ec, size_t header_bytes_max) {
  using boost::beast::http::error;
  if (ec == error::header_limit || ec == error::buffer_overflow)
    return {431,
            {Code::kInvalidArgument,
             fmt::format("[http] the request's head passes the limit of {} bytes", header_bytes_max)}};
  if (ec == error::bad_version) return {505, {Code::kUnimplemented, "[http] only HTTP/1.0 and 1.1 are spoken here"}};
  const bool foreign = ec.category() != make_error_code(error::bad_method).category();
  if (foreign || ec == error::end_of_stream || ec == error::partial_message)
    return {0, {Code::kCancelled, ec.message()}};
  return {400, {Code::kInvalidArgument, fmt::format("[http] not a request of HTTP: {}", ec.message())}};
}

Refusal body_failure(const boost::system::error_code& ec, size_t body_bytes_max) {
  using boost::beast::http::error;
  if (ec == error::body_limit || ec == error::buffer_overflow)
    return {413,
            {Code::kInvalidArgument,
             fmt::format("[http] the request's body passes the limit of {} bytes", body_bytes_max)}};
  if (ec == error::partial_message || ec.category() != make_error_code(error::bad_chunk).category())
    return {0, {Code::kCancelled, ec.message()}};
  return {400, {Code::kInvalidArgument, fmt::format("[http] the body is broken: {}", ec.message())}};
}

Refusal no_room() {
  return {503,
          {Code::kUnavailable, "[http] the bodies of all requests together take too much memory: try again later"}};
}

std::string new_request_id() {
  thread_local std::mt19937_64 bits{std::random_device{}()};
  const uint64_t high = bits(), low = bits();
  return fmt::format("{:016x}{:016x}", high, low);
}

}  // namespace ingot::http
