#include "server/http/response_head.h"

#include <algorithm>
#include <array>
#include <ctime>

namespace ingot::http {
namespace {

// "Sun, 22 Nov 2026 16:31:00 GMT"
const std::string& http_date() {
  thread_local std::time_t of = 0;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != of) {
    std::tm utc{};
    gmtime_r(&now, &utc);
    std::array<char, 64> buffer{};
    text.assign(buffer.data(), std::strftime(buffer.data(), buffer.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc));
    of = now;
  }
  return text;
}

void add(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ");
  std::ranges::copy_if(value, std::back_inserter(head), [](char c) { return c != '\r' && c != '\n' && c != '\0'; });
  head.append("\r\n");
}

void add_cors(std::string& head, const HeadContext& c) {
  const std::string_view origin = c.request.header("Origin");
  if (c.cors_origins.empty() || origin.empty()) return;
  const bool any = std::ranges::find(c.cors_origins, "*") != c.cors_origins.end();
  if (!any && std::ranges::find(c.cors_origins, origin) == c.cors_origins.end()) return;
  add(head, "Access-Control-Allow-Origin", any ? "*" : origin);
  if (!any) add(head, "Vary", "Origin");
  add(head, "Access-Control-Expose-Headers", "X-Request-Id, Inference-Header-Content-Length");
  if (c.request.method != "OPTIONS") return;
  const std::string_view wanted = c.request.header("Access-Control-Request-Headers");
  add(head, "Access-Control-Allow-Methods", "GET, POST, OPTIONS");
  add(head, "Access-Control-Allow-Headers", wanted.empty() ? "Authorization, Content-Type" : wanted);
  add(head, "Access-Control-Max-Age", "600");
}

}  // namespace

std::string response_head(const Response& response, const HeadContext& c) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  add(head, "Date", http_date());
  add(head, "Server", "ingot");
  if (!response.content_type.empty() && response.status != 204) add(head, "Content-Type", response.content_type);
  if (c.chunked)
    add(head, "Transfer-Encoding", "chunked");
  else if (response.status != 204 && (c.content_bytes > 0 || c.keep_alive || response.status != 200))
    add(head, "Content-Length", std::to_string(c.content_bytes));
  add(head, "Connection", c.keep_alive ? "keep-alive" : "close");
  add(head, "X-Request-Id", c.request.id);
  add_cors(head, c);
  for (const auto& [name, value] : response.headers) add(head, name, value);
  head += "\r\n";
  return head;
}

}  // namespace ingot::http
