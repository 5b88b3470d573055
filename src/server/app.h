// The server as a whole: models, every face, metrics, signals. What `ingot serve` runs.
//
// Knows no backend: the caller brings the loader. Thread-safety: run_app() once, on the main thread, before any other
// thread was made (it blocks the signals that it waits for).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "server/grpc/server.h"
#include "server/http/server.h"
#include "serving/model_repository.h"

namespace ingot::server {

enum class ControlMode : uint8_t {
  kNone,      // all models are loaded at start, and that is all
  kPoll,      // the same, and the repository's folder is followed
  kExplicit,  // nothing is loaded but what is asked for: at start, or by clients
};

struct RepositoryOptions {
  std::string folder;  // empty: none
  ControlMode mode = ControlMode::kNone;
  std::chrono::seconds poll{15};
  std::vector<std::string> load;                             // in mode explicit, at start; "*": all
  std::vector<std::pair<std::string, std::string>> aliases;  // to models
  serving::RoomOptions room;
};

struct AppOptions {
  http::ServerOptions http;
  rpc::ServerOptions grpc;  // host, limits and certificates are taken from http
  bool metrics = true;
  uint16_t metrics_port = 8002;  // on http.host; 0: any free one
  std::string api_key_file;      // empty: open to all
  std::string access_log = "-";
  int worker_threads = 2;
  std::chrono::seconds drain_timeout{60};
  std::chrono::seconds shutdown_delay{0};  // not ready, but still answering
  bool keep_going = false;                 // with what loads, where a model does not
  bool clients_may_hurry = false;          // ahead of others, with a priority below 0
  bool shared_memory = false;              // clients may register theirs (kserve/shared_memory.h says what that opens)
  std::vector<serving::ModelSpec> models;  // loaded at start, in this order, as the mode has it
  RepositoryOptions repository;
  serving::Loader loader;
};

// Serves until SIGTERM or SIGINT, then drains: accepted requests end, new ones are refused. SIGHUP reads the keys
// again and reopens the log. Errors: kUnavailable (a port is taken), a model that does not load, requests that did not
// end in time.
Result<void> run_app(AppOptions options);

}  // namespace ingot::server
