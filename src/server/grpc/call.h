// What all calls share, and the part of a call that every method has: admission, counting, its line in the access log.
//
// Ownership: Face is the server's, and outlives every call. Thread-safety: Face any; a CallScope belongs to its call.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <mutex>
#include <set>
#include <string>

#include "base/guarded.h"
#include "server/grpc/server.h"
#include "server/http/body_budget.h"

namespace ingot::rpc {

class StreamCall;

struct Face {
  ServerOptions options;
  Neighbours to;
  boost::asio::thread_pool answers;  // writes answers, so that engines and models need not
  http::BodyBudget messages;         // requests and answers that are in memory
  std::atomic<int64_t> calls{0};
  std::atomic<bool> draining{false};
  std::mutex mutex;
  std::set<StreamCall*> streams;  // open

  Face(ServerOptions o, Neighbours n)
      : options(std::move(o)), to(std::move(n)), answers(static_cast<size_t>(options.threads)) {
    messages.bytes_max = options.messages_bytes_max;
  }
};

inline constexpr size_t kMessageBytesMax = 4000;  // of a failure

// What a draining server tells.
Status shutting_down();

// Ingot's codes are gRPC's; long messages are cut, for they travel in a header.
grpc::Status to_grpc(const Status& status);
inline grpc::Status to_grpc(const Result<void>& done) { return done ? grpc::Status::OK : to_grpc(done.error()); }

// Charges a request's bytes until the charge ends. Errors: kResourceExhausted (all messages together are too many).
Result<void> charge(Face& face, http::BodyCharge& charge, size_t bytes);

using OnModel = std::function<void(Result<std::shared_ptr<serving::Servable>>)>;
// The model of a request that uses it, loaded first where it was put away; done runs on the pool `answers`.
void acquire(Face& face, const std::string& name, const std::string& version, OnModel done);

class CallScope {
 public:
  // method: "ModelInfer".
  CallScope(Face& face, const grpc::CallbackServerContext& context, const char* method);
  ~CallScope();  // the call has ended
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  // Errors: kUnauthenticated, kUnavailable (draining), kResourceExhausted (too many calls).
  Result<void> admit();
  void note_model(std::string_view name) { model_ = name; }
  void note_end(const Result<void>& done) { code_ = done ? 0 : static_cast<int>(done.error().code()); }
  void note_bytes(uint64_t in, uint64_t out) {
    bytes_in_ += in;
    bytes_out_ += out;
  }
  const std::string& tenant() const { return tenant_; }  // of an admitted call

 private:
  Face& face_;
  const char* method_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::string peer_, id_, credentials_, tenant_, model_;
  int64_t others_;
  int code_ = 0;
  uint64_t bytes_in_ = 0, bytes_out_ = 0;
};

// The value of the first metadata entry of that (lower-case) name; "" if there is none.
std::string metadata_value(const grpc::CallbackServerContext& context, std::string_view name);

// The call's deadline on the clock of models and engines; nothing if it has none.
std::optional<serving::Clock::time_point> deadline_of(const grpc::CallbackServerContext& context);

}  // namespace ingot::rpc
