// The head of an answer as bytes. Thread-safety: pure (and the clock).
#pragma once

#include <string>

#include "server/http/message.h"

namespace ingot::http {

struct HeadContext {
  const Request& request;
  const std::vector<std::string>& cors_origins;
  uint64_t content_bytes = 0;
  bool chunked = false;
  bool keep_alive = true;
};

// Values of headers may come from clients: what would end a header line early is left out.
std::string response_head(const Response& response, const HeadContext& context);

}  // namespace ingot::http
