// ModelInfer: one inference of a tensor model, without a thread that waits for it. Thread-safety: gRPC's reactors.
#pragma once

#include "server/grpc/call.h"
#include "server/grpc/inference.pb.h"

namespace ingot::rpc {

// Ends by itself; a client that cancels, or whose deadline passes, takes its request out of the model's queue.
grpc::ServerUnaryReactor* start_infer(Face& face, grpc::CallbackServerContext& context,
                                      const inference::ModelInferRequest& request,
                                      inference::ModelInferResponse& response);

// Hands the request to the model; when it is answered, on_done runs on the pool `face.answers`.
Result<void> submit(Face& face, const serving::Servable& model, serving::TensorRequest request,
                    std::function<void(Result<serving::TensorAnswer>)> on_done);

}  // namespace ingot::rpc
