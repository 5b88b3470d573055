// One request and the way to answer it: the whole of what a handler sees of HTTP.
//
// A handler either responds once, or begins a stream, writes pieces and ends it. A write waits until the
// client took the bytes (back-pressure); a client that takes nothing for too long, or is gone, makes write()
// return false, after which nothing more is to be done but to return. A handler that returns from a stream without
// ending it drops the client.
// Thread-safety: an Exchange lives on its connection's strand; only that strand may touch it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string_view>

#include "server/http/message.h"

namespace ingot::http {

namespace asio = boost::asio;

class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const Request& request() const = 0;
  virtual Request& mutable_request() = 0;  // to take the body out of it

  virtual asio::awaitable<void> respond(Response response) = 0;

  // Chunked (HTTP/1.1) or until the connection's end (1.0). Each returns false if the client is gone.
  virtual asio::awaitable<bool> begin_stream(std::string_view content_type) = 0;
  virtual asio::awaitable<bool> write(std::string_view piece) = 0;
  virtual asio::awaitable<bool> end_stream() = 0;

  // From now on the connection is watched; `gone` runs once, on the strand, when the client closes it before the
  // answer's end.
  virtual void on_gone(std::function<void()> gone) = 0;
  virtual bool is_gone() const = 0;

  // What the access log tells besides the request: the model's name, for example.
  virtual void note(std::string_view key, std::string_view value) = 0;
};

using Handler = std::function<asio::awaitable<void>(Exchange&)>;

}  // namespace ingot::http
