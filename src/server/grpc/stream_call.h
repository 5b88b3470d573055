// ModelStreamInfer: one stream, many requests for any models, and their answers.
//
// Tensor models' answers come in the order of the requests; language models' pieces come as they are made, told apart
// by id. A request that fails is one answer with error_message, and the stream stays open, unless the client's
// metadata has triton_grpc_error: true. While a client does not read its answers, its requests are not read; one that
// reads nothing for --write-timeout is dropped.
// Ownership: keeps itself until gRPC and its requests are done with it. Thread-safety: everything but start() and
// drain() happens on its strand.
#pragma once

#include <boost/asio/strand.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "server/grpc/call.h"
#include "server/grpc/infer_message.h"
#include "server/http/deadline.h"
#include "server/openai/running.h"

namespace ingot::rpc {

class StreamCall final
    : public grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>,
      public std::enable_shared_from_this<StreamCall> {
 public:
  using Request = inference::ModelInferRequest;
  using Response = inference::ModelStreamInferResponse;

  static StreamCall* start(Face& face, grpc::CallbackServerContext& context);
  // No more requests; the stream ends when those that are here have ended. From any thread.
  void drain();

  // For the coroutines of generate_stream.cc, on the strand.
  Face& face() const { return face_; }
  const std::string& tenant() const { return scope_.tenant(); }
  std::optional<serving::Clock::time_point> deadline() const { return deadline_; }
  bool over() const { return over_; }
  size_t unread_bytes() const { return out_bytes_; }
  // taken: what it is charged to; null: a new charge.
  void send(Response response, std::shared_ptr<http::BodyCharge> taken = {});
  void send_failure(const std::string& id, const Status& failure);
  // Cancelled when the stream ends early.
  void watch(const std::shared_ptr<openai::Running>& running) { running_.push_back(running); }

 private:
  // The place of an answer in the order of the requests. The model is let go on the strand, never on its own thread.
  struct Slot {
    std::shared_ptr<serving::Servable> model;
    std::shared_ptr<http::BodyCharge> taken;  // of the request's bytes, then of the answer's
    std::optional<Response> response;
    bool free = false;  // it was kept for what turned out to have none: a language model
  };
  struct Outgoing {
    Response response;
    size_t bytes = 0;
    std::shared_ptr<http::BodyCharge> taken;
  };

  StreamCall(Face& face, grpc::CallbackServerContext& context);
  template <class F>
  void on_strand(F f);
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  void read_next();
  void handle(std::unique_ptr<Request> request);
  void begin(std::unique_ptr<Request> request, Result<std::shared_ptr<serving::Servable>> model,
             const std::shared_ptr<Slot>& slot);
  void generate(std::unique_ptr<Request> request, std::shared_ptr<serving::Servable> model,
                std::shared_ptr<http::BodyCharge> taken);
  void infer(Request& request, const std::shared_ptr<Slot>& slot);
  void answer(const kserve::InferRequest& request, const std::shared_ptr<Slot>& slot,
              Result<serving::TensorAnswer> answer);
  void fill(const std::shared_ptr<Slot>& slot, Response response);
  void send_filled();
  Response failure_of(const std::string& id, const Status& failure);
  void request_ended();
  void write_next();
  void stop(Status why);  // no more work and no more answers
  void end_if_done();

  Face& face_;
  grpc::CallbackServerContext& context_;  // until OnDone
  CallScope scope_;
  const std::optional<serving::Clock::time_point> deadline_;
  const bool errors_end_stream_;
  const boost::asio::strand<boost::asio::thread_pool::executor_type> strand_;
  http::Deadline write_deadline_;     // of the answer that is being written
  std::shared_ptr<StreamCall> self_;  // until OnDone
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);

  std::unique_ptr<Request> reading_;
  bool reads_pending_ = false, reads_ended_ = false, writing_ = false, over_ = false, finished_ = false;
  bool draining_ = false;
  int active_ = 0;    // requests that are being answered
  int in_model_ = 0;  // of them: in a tensor model's hands
  std::deque<std::shared_ptr<Slot>> slots_;
  std::deque<Outgoing> out_;  // the first is being written
  size_t out_bytes_ = 0;
  std::vector<std::weak_ptr<openai::Running>> running_;
  Result<void> end_;
};

// The answer of a language model to one request of a stream (generate_stream.cc).
boost::asio::awaitable<void> generate_on(std::shared_ptr<StreamCall> call, std::unique_ptr<StreamCall::Request> request,
                                         std::shared_ptr<serving::Servable> model);

}  // namespace ingot::rpc
