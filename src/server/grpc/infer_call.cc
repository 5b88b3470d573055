#include "server/grpc/infer_call.h"

#include <boost/asio/post.hpp>

#include "server/grpc/infer_message.h"
#include "server/kserve/face.h"

namespace ingot::rpc {
namespace {

class InferCall final : public grpc::ServerUnaryReactor {
 public:
  InferCall(Face& face, grpc::CallbackServerContext& context, const inference::ModelInferRequest& request,
            inference::ModelInferResponse& response)
      : face_(face), scope_(face, context, "ModelInfer"), response_(response) {
    scope_.note_bytes(request.ByteSizeLong(), 0);
    // Until this call was returned to gRPC, Finish() waits: an answer that comes at once does no harm.
    if (auto begun = guarded([&] { return begin(context, request); }); !begun) end(begun);
  }

 private:
  Result<void> begin(const grpc::CallbackServerContext& context, const inference::ModelInferRequest& message) {
    INGOT_TRY(scope_.admit());
    model_ = INGOT_TRY(kserve::find_model(face_.to.models, message.model_name(), message.model_version()));
    scope_.note_model(model_->name);
    if (!model_->tensor)
      return unimplemented(
          "[grpc] ModelInfer RPC doesn't support models with decoupled transaction policy: '{}' is a language model, "
          "use ModelStreamInfer",
          model_->name);
    request_ = INGOT_TRY(read_infer(message, face_.to.regions));
    serving::TensorRequest tensors = std::move(request_.tensors);
    const auto deadline = deadline_of(context);
    if (deadline && (!tensors.deadline || *deadline < *tensors.deadline)) tensors.deadline = deadline;
    tensors.cancelled = cancelled_;
    return submit(face_, *model_, std::move(tensors),
                  [this](Result<serving::TensorAnswer> answer) { finish(std::move(answer)); });
  }

  void finish(Result<serving::TensorAnswer> answer) {
    end(guarded([&]() -> Result<void> {
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
    scope_.note_bytes(0, done ? response_.ByteSizeLong() : 0);
    Finish(to_grpc(done));
  }

  void OnCancel() override { cancelled_->store(true); }
  void OnDone() override { delete this; }

  Face& face_;
  CallScope scope_;
  inference::ModelInferResponse& response_;
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
