// A connection to a server, and what one request on it took: HTTP/1.1 with keep-alive, answers as server-sent events
// or whole. Ownership: a Client belongs to one coroutine at a time. Thread-safety: one event loop, one thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/load/workload.h"

namespace ingot::cli::load {

using Clock = std::chrono::steady_clock;

struct Target {
  std::string host, port, path;  // path: before /v1 or /v2, "" or "/prefix"
  // Errors: kInvalidArgument (not http://host[:port][/path]).
  static Result<Target> parse(const std::string& url);
};

// Times are of the steady clock. An event is a piece of text, one token unless the server sends several at once.
struct Record {
  Clock::time_point sent, end;
  std::vector<Clock::time_point> events;
  int64_t prompt_tokens = 0, output_tokens = 0, cached_tokens = 0;  // as the server counts them
  std::string error;                                                // "": all is well
};

class Client {
 public:
  Client(boost::asio::any_io_executor executor, const Target& target, const Options& options)
      : executor_(std::move(executor)), target_(target), options_(options) {}

  boost::asio::awaitable<Record> post(std::string path, const Message& message);
  // The body of an answer of at most 1 MB, or an error.
  boost::asio::awaitable<Result<std::string>> get(std::string path);

 private:
  boost::asio::awaitable<void> connect();

  boost::asio::any_io_executor executor_;
  const Target& target_;
  const Options& options_;
  std::optional<boost::beast::tcp_stream> stream_;
};

}  // namespace ingot::cli::load
