// The load over gRPC: one KServe ModelInfer, or one ModelStreamInfer of a language model, and what it took.
//
// Each client has a connection of its own, as those of HTTP do. Feeds bench_serve.cc; the only file here that knows
// gRPC is grpc_client.cc. Ownership: a GrpcClient belongs to one coroutine at a time. Thread-safety: times are taken on
// gRPC's threads, everything else happens on the event loop.
#pragma once

#include <memory>

#include "cli/load/client.h"

namespace ingot::cli::load {

class GrpcClient {
 public:
  // url: grpc://HOST:PORT. Errors: kInvalidArgument.
  static Result<std::string> target_of(const std::string& url);
  GrpcClient(boost::asio::any_io_executor executor, const std::string& target, const Options& options);
  ~GrpcClient();
  GrpcClient(const GrpcClient&) = delete;
  GrpcClient& operator=(const GrpcClient&) = delete;

  // message: of tensor_message() or language_messages(), in the form that HTTP sends; made into protobuf before the
  // time is taken.
  boost::asio::awaitable<Record> post(const Message& message);
  // The model's metadata as the JSON that HTTP answers. Blocks.
  Result<std::string> metadata();

 private:
  struct Connection;
  boost::asio::any_io_executor executor_;
  const Options& options_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace ingot::cli::load
