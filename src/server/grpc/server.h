// The gRPC server: KServe v2 with Triton's extensions (inference.proto), standard health with Watch, and reflection.
//
// Answers through gRPC's callback interface: no thread waits for a call. It needs the same keys, limits and
// certificates as HTTP, and knows no model. Nothing of gRPC is seen outside this folder.
// Ownership: borrows models, workers, health and keys, which outlive it. Thread-safety: start() once; the rest any.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/limits.h"
#include "server/admin/health.h"
#include "server/http/access_log.h"
#include "server/http/api_keys.h"
#include "server/http/workers.h"
#include "server/kserve/shared_memory.h"
#include "serving/model_repository.h"

namespace ingot::rpc {

struct ServerOptions {
  std::string host = "127.0.0.1";
  int port = 8001;  // 0: no gRPC; -1: any free one
  int threads = 2;  // that write answers
  size_t message_bytes_max = limits::kHttpBodyBytesMax;
  size_t messages_bytes_max = size_t{1} << 30;  // of all calls at once; what passes it is refused
  int calls_max = 8192;                         // answered at once; more are refused with RESOURCE_EXHAUSTED
  std::string tls_certificate, tls_key;         // PEM files; empty: no TLS
  std::chrono::seconds keepalive_time{60};      // a silent client is asked whether it still lives
  std::chrono::seconds keepalive_timeout{20};
  std::chrono::milliseconds write_timeout{30'000};  // and a second more for each 64 KiB of an answer
};

struct Neighbours {
  serving::ModelRepository& models;
  http::Workers& workers;
  const admin::Health& health;
  http::ApiKeys& keys;
  kserve::SharedRegions& regions;
  http::OnRequestEnd on_end;       // called when a call ended; for logs and metrics
  bool clients_may_hurry = false;  // ahead of others, with a priority below 0
};

class Server {
 public:
  Server(ServerOptions options, Neighbours neighbours);
  ~Server();  // cancels what is left
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Errors: kUnavailable (port taken, unknown host), kInvalidArgument (TLS files).
  Result<void> start();
  std::string url() const;  // "grpc://127.0.0.1:8001"
  int64_t calls() const;    // being answered

  // A model's state, or the server's, has changed: tells those who watch.
  void refresh_health();
  // Refuses new calls and ends idle streams; accepted calls end, at the latest by the deadline. True: all did.
  bool drain(std::chrono::steady_clock::time_point deadline);
  // Cancels what is left; workers and models may still be asked for it until the server is destroyed.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ingot::rpc
