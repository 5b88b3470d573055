// A small HTTP client for downloads, on libcurl.
//
// Redirects are followed here, not by libcurl: the token goes only to the origin (scheme, host and
// port) that was asked first, and never from https to http. Waiting is bounded: 15 s to connect,
// 60 s without a byte.
// Ownership: one connection cache per client. Not thread-safe; one per thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"

namespace ingot::hub {

struct HttpRequest {
  std::string url;
  std::string token;        // sent as "Authorization: Bearer", to the first origin only
  int64_t range_begin = 0;  // > 0: "Range: bytes=N-"
  std::string if_range;     // with a range: the entity tag that must still hold
};

struct HttpHead {
  int status = 0;
  std::string etag;         // with its quotes
  std::string linked_etag;  // X-Linked-ETag of the first answer: the Hub's checksum
  std::string content_range;
  std::string error_code;       // X-Error-Code of the Hub
  int64_t content_length = -1;  // -1: not said
  int64_t retry_after_s = -1;
  std::string url;  // of the last answer
};

class HttpClient {
 public:
  // A failure of these ends the transfer and is what get() returns.
  struct Sink {
    std::function<Result<void>(const HttpHead&)> begin;  // once, for a 2xx answer
    std::function<Result<void>(std::span<const char>)> write;
  };

  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // The answer, whatever its status. Errors: kUnavailable if there is none or it broke off (worth a
  // retry), kInvalidArgument for a redirect that is refused, or what the sink returned.
  Result<HttpHead> get(const HttpRequest& request, const Sink& sink);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// "https://host:port" of an address, in lower case, default ports left away.
std::string origin_of(std::string_view url);

}  // namespace ingot::hub
