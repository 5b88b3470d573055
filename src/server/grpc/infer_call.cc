#include "server/grpc/infer_call.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "server/grpc/infer_message.h"
#include "server/http/deadline.h"
#include "server/kserve/face.h"

namespace ingot::rpc {
namespace {

// An ended call whose answer its client has not read yet. Only a cancelled call lets go of that.
class Unread {
 public:
  Unread(Face& face, grpc::CallbackServerContext& context) : context_(&context), timer_(face.answers) {}

  static void watch(const std::shared_ptr<Unread>& unread, std::chrono::milliseconds time) {
    unread->timer_.expires_after(time);
    unread->timer_.async_wait([unread](boost::system::error_code ec) {
      const std::lock_guard lock(unread->mutex_);  // OnDone may come from within
      if (!ec && unread->context_) unread->context_->TryCancel();
    });
  }
  void end() {
    const std::lock_guard lock(mutex_);
    context_ = nullptr;
    timer_.cancel();
  }

 private:
  std::recursive_mutex mutex_;
  grpc::CallbackServerContext* context_;  // null: the call is over
  boost::asio::steady_timer timer_;
};

class InferCall final : public grpc::ServerUnaryReactor {
 public:
  InferCall(Face& face, grpc::CallbackServerContext& context, const inference::ModelInferRequest& request,
            inference::ModelInferResponse& response)
      : face_(face),
        context_(context),
        scope_(face, context, "ModelInfer"),
        response_(response),
        charge_(face.messages),
        request_bytes_(request.ByteSizeLong()) {
    scope_.note_bytes(request_bytes_, 0);
    // Until this call was returned to gRPC, Finish() waits: an answer that comes at once does no harm.
    if (auto begun = guarded("grpc", [&] { return begin(request); }); !begun) end(begun);
  }

 private:
  Result<void> begin(const inference::ModelInferRequest& message) {
    INGOT_TRY(scope_.admit());
    INGOT_TRY(charge(face_, charge_, request_bytes_));
    deadline_ = deadline_of(context_);
    bool comes = false;
    auto found = kserve::use_model(face_.to.models, message.model_name(), message.model_version(), comes);
    if (!found && comes) {
      acquire(face_, message.model_name(), message.model_version(), [this, &message](auto model) {
        if (auto begun = guarded("grpc", [&] { return run(std::move(model), message); }); !begun) end(begun);
      });
      return {};
    }
    return run(std::move(found), message);
  }

  Result<void> run(Result<std::shared_ptr<serving::Servable>> found, const inference::ModelInferRequest& message) {
    model_ = INGOT_TRY(std::move(found));
    scope_.note_model(model_->name);
    if (!model_->tensor)
      return unimplemented(
          "[grpc] ModelInfer RPC doesn't support models with decoupled transaction policy: '{}' is a language model, "
          "use ModelStreamInfer",
          model_->name);
    // gRPC's own copy, of this call alone: its bytes may be taken.
    request_ = INGOT_TRY(read_infer(const_cast<inference::ModelInferRequest&>(message), face_.to.regions));
    serving::TensorRequest tensors = std::move(request_.tensors);
    if (deadline_ && (!tensors.deadline || *deadline_ < *tensors.deadline)) tensors.deadline = deadline_;
    tensors.cancelled = cancelled_;
    return submit(face_, *model_, std::move(tensors),
                  [this](Result<serving::TensorAnswer> answer) { finish(std::move(answer)); });
  }

  void finish(Result<serving::TensorAnswer> answer) {
    end(guarded("grpc", [&]() -> Result<void> {
      if (!answer) return std::unexpected(answer.error());
      INGOT_TRY(write_infer(request_, *answer, *model_, response_));
      if (response_.ByteSizeLong() > std::numeric_limits<int32_t>::max())
        return error(Code::kResourceExhausted, "[grpc] Response has byte size {} which exceeds gRPC's byte size limit",
                     response_.ByteSizeLong());
      return {};
    }));
  }

  void end(const Result<void>& done) {
    scope_.note_end(done);
    const size_t response_bytes = done ? response_.ByteSizeLong() : 0;
    scope_.note_bytes(0, response_bytes);
    (void)charge_.grow_to(request_bytes_ + response_bytes);  // it is there already: only others are refused for it
    if (response_bytes > 0) {
      unread_ = std::make_shared<Unread>(face_, context_);
      Unread::watch(unread_, http::allowance(face_.options.write_timeout, response_bytes));
    }
    Finish(to_grpc(done));
  }

  void OnCancel() override { cancelled_->store(true); }
  void OnDone() override {
    if (unread_) unread_->end();
    delete this;
  }

  Face& face_;
  grpc::CallbackServerContext& context_;
  CallScope scope_;
  inference::ModelInferResponse& response_;
  http::BodyCharge charge_;
  std::shared_ptr<Unread> unread_;  // before Finish
  const size_t request_bytes_;
  std::optional<serving::Clock::time_point> deadline_;
  std::shared_ptr<serving::Servable> model_;
  kserve::InferRequest request_;  // its tensors went to the model
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace

grpc::ServerUnaryReactor* start_infer(Face& face, grpc::CallbackServerContext& context,
                                      const inference::ModelInferRequest& request,
                                      inference::ModelInferResponse& response) {
  return new InferCall(face, context, request, response);  // deletes itself when gRPC is done with it
}

Result<void> submit(Face& face, const serving::Servable& model, serving::TensorRequest request,
                    std::function<void(Result<serving::TensorAnswer>)> on_done) {
  request.on_done = [&face, done = std::move(on_done)](Result<serving::TensorAnswer> answer) {
    boost::asio::post(face.answers, [done, answer = std::move(answer)]() mutable { done(std::move(answer)); });
  };
  return model.tensor->submit(std::move(request));
}

}  // namespace ingot::rpc
