// What an HTTP request and its answer are to the handlers: plain values, no sockets.
//
// A handler gets an Exchange (exchange.h) with a Request and answers with one Response, or streams.
// Ownership: a BodyPart borrows bytes that its owner keeps alive. Thread-safety: plain values.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace ingot::http {

struct Request {
  std::string id;      // the client's X-Request-Id, or one of ours
  std::string method;  // "GET"
  std::string path;    // as sent, without the query
  std::string query;
  std::vector<std::string> captures;  // percent-decoded, in the order of the route's {placeholders}
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string remote;  // "127.0.0.1:51234"
  std::string tenant;  // whose key it came with; empty where no key is needed

  // The first header of that name, in any case; empty if there is none.
  std::string_view header(std::string_view name) const;
};

// Bytes of an answer that are not copied, for example a tensor.
struct BodyPart {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<BodyPart> parts;  // after body
  std::vector<std::pair<std::string, std::string>> headers;
};

// Writes the body of an answer that tells of a failure, as one protocol wants it.
using ErrorBody = std::string (*)(int http_status, const Status& failure);

// The HTTP status of a canonical code: one table for every face that has no table of its own.
int http_status(Code code);
// "Bad Request"
std::string_view reason_phrase(int http_status);

// "invalid_request_error": the names that the clients of OpenAI's interface switch on.
std::string_view openai_error_type(int http_status);
// {"error":{"message","type","param":null,"code"}}: OpenAI's form, also that of unknown paths.
std::string openai_error_body(int http_status, const Status& failure);

Response error_response(const Status& failure, ErrorBody body);

// "%41b" -> "Ab". Errors: kInvalidArgument for a broken escape or a NUL.
Result<std::string> percent_decode(std::string_view text);

}  // namespace ingot::http
