// The head of a request: from Beast's form to ours, and what to say of one that cannot be read.
//
// Feeds connection.cc. Thread-safety: pure functions (request ids: a generator for each thread).
#pragma once

#include <boost/beast/http/message.hpp>

#include "server/http/message.h"

namespace ingot::http {

// Everything but body, captures and remote. A request id that is not plain or too long is replaced by ours.
Request request_of(const boost::beast::http::request_header<>& head);

struct Refusal {
  int status = 0;  // 0: there is nobody to tell
  Status why;
};
Refusal head_failure(const boost::system::error_code& ec, size_t header_bytes_max);
Refusal body_failure(const boost::system::error_code& ec, size_t body_bytes_max);
Refusal no_room();  // for one more body

// 32 hexadecimal digits, most likely unique in the world.
std::string new_request_id();

}  // namespace ingot::http
