// One client's connection: reads requests in turn, has them answered, writes what the handlers say.
//
// A coroutine on its own strand; lives as long as its client and its limits let it. Feeds server.cc.
// Thread-safety: LiveConnection's functions from any thread; all else on the strand.
#pragma once

#include <algorithm>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <mutex>
#include <set>

#include "server/http/body_budget.h"
#include "server/http/server.h"

namespace ingot::http {

class LiveConnection {
 public:
  virtual ~LiveConnection() = default;
  virtual void begin_drain() = 0;  // ends once nothing is asked of it
  virtual void abort() = 0;        // ends now
};

// What all connections of a server share.
struct ServerContext {
  ServerContext(ServerOptions o, Router r, ApiKeys& k, OnRequestEnd e)
      : options(std::move(o)), router(std::move(r)), keys(k), on_end(std::move(e)) {
    bodies.bytes_max = std::max(options.bodies_bytes_max, options.body_bytes_max);
  }

  ServerOptions options;
  Router router;
  ApiKeys& keys;
  OnRequestEnd on_end;
  std::unique_ptr<asio::ssl::context> tls;
  std::atomic<bool> draining{false};
  std::atomic<int64_t> connections{0}, requests{0};
  BodyBudget bodies;  // of requests that are being read or answered
  std::mutex mutex;
  std::set<LiveConnection*> live;  // each removes itself
};

// Serves the socket until it ends; its executor must be a strand. Does not throw.
asio::awaitable<void> serve_connection(std::shared_ptr<ServerContext> server, asio::ip::tcp::socket socket);

}  // namespace ingot::http
