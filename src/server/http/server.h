// An HTTP/1.1 server: one port, few threads, any number of connections, each a coroutine (connection.cc).
//
// Every size and time that a client chooses has a limit; what breaks one is answered with its code and ends alone.
// An exception of a handler is a 500 and never more. Ownership: owns its threads; the keys must outlive it.
// Thread-safety: start() once, drain() once; the rest from any thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "server/http/access_log.h"
#include "server/http/api_keys.h"
#include "server/http/router.h"

namespace ingot::http {

struct ServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8000;  // 0: any free one
  int threads = 2;
  int connections_max = 8192;  // and no more than the process may open files for
  size_t header_bytes_max = limits::kHttpHeaderBytesMax;
  size_t body_bytes_max = limits::kHttpBodyBytesMax;
  size_t bodies_bytes_max = size_t{1} << 30;         // of all requests that are being read or answered; 503 past it
  std::chrono::milliseconds idle_timeout{75'000};    // between requests
  std::chrono::milliseconds header_timeout{15'000};  // from its first byte to its end
  std::chrono::milliseconds body_timeout{30'000};    // and a second more for each 64 KiB that came
  std::chrono::milliseconds write_timeout{30'000};   // and a second more for each 64 KiB to send
  std::vector<std::string> cors_origins;             // "*": any
  std::string tls_certificate, tls_key;              // PEM files; empty: no TLS
  std::string port_option = "--http-port";           // what messages tell to change
};

struct ServerCounts {
  int64_t connections = 0, requests = 0;  // open, being answered
};

class Server {
 public:
  // on_end: called when a request ended, on its strand; for logs and metrics.
  Server(ServerOptions options, Router router, ApiKeys& keys, OnRequestEnd on_end);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds and begins to answer. Errors: kUnavailable (port taken, no right to it, unknown host), kInvalidArgument
  // (TLS files).
  Result<void> start();
  uint16_t port() const;
  std::string url() const;

  // Takes no more connections, lets accepted requests end, closes the rest at the deadline. True: all ended.
  bool drain(std::chrono::steady_clock::time_point deadline);
  // Ends the threads; what was being answered is dropped when the server is destroyed.
  void stop();
  ServerCounts counts() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ingot::http
