// Method and path to handler. Patterns are segments, literal or {name}: "/v2/models/{model}/infer".
//
// Literal segments win over placeholders, so a model may not hide "/v2/models/stats". Placeholders match one
// non-empty segment, percent-decoded. Thread-safety: built first, then read by any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/http/exchange.h"

namespace ingot::http {

struct Route {
  std::string method;  // a GET route answers HEAD, too
  std::string pattern;
  Handler handler;
  bool open = false;          // answers without an API key
  size_t body_bytes_max = 0;  // 0: the server's limit
};

struct RouteMatch {
  const Route* route = nullptr;
  std::vector<std::string> captures;
  std::string allow;  // no route, but the path is known for these methods: "GET, POST"
};

class Router {
 public:
  void add(Route route);
  // Errors are told in this form for paths that start with `prefix`; the longest prefix wins.
  void set_error_body(std::string prefix, ErrorBody body);

  // Errors: kInvalidArgument for a broken escape in a placeholder's segment.
  Result<RouteMatch> match(std::string_view method, std::string_view path) const;
  ErrorBody error_body(std::string_view path) const;

 private:
  struct Entry {
    Route route;
    std::vector<std::string> segments;
  };
  std::vector<Entry> entries_;
  std::vector<std::pair<std::string, ErrorBody>> error_bodies_;
};

}  // namespace ingot::http
