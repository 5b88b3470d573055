// The least that a gRPC server does for an inference, through gRPC's callback interface: the tensors' bytes come back.
// What `ingot serve` takes more than this is its own work. Built and run by bench/server_overhead.py, only there.
//
//   echo_grpc PORT ELEMENTS      of the input that the metadata tells; 0: any number
#include <grpcpp/grpcpp.h>

#include <iostream>

#include "server/grpc/inference.grpc.pb.h"

namespace {

class Echo final : public inference::GRPCInferenceService::CallbackService {
 public:
  explicit Echo(int64_t elements) : elements_(elements) {}

  grpc::ServerUnaryReactor* ModelMetadata(grpc::CallbackServerContext* x, const inference::ModelMetadataRequest*,
                                          inference::ModelMetadataResponse* out) override {
    auto& input = *out->add_inputs();
    input.set_name("x");
    input.set_datatype("FP32");
    input.add_shape(elements_ > 0 ? elements_ : -1);
    return end(x);
  }
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* x, const inference::ModelInferRequest* in,
                                       inference::ModelInferResponse* out) override {
    out->set_model_name(in->model_name());
    auto& output = *out->add_outputs();
    output.set_name("y");
    output.set_datatype("FP32");
    *output.mutable_shape() = in->inputs(0).shape();
    out->add_raw_output_contents(in->raw_input_contents(0));
    return end(x);
  }

 private:
  static grpc::ServerUnaryReactor* end(grpc::CallbackServerContext* x) {
    grpc::ServerUnaryReactor* reactor = x->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  const int64_t elements_;
};

}  // namespace

int main(int, char** argv) {
  Echo service(std::stoll(argv[2]));
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(-1);
  builder.SetMaxSendMessageSize(-1);
  builder.AddListeningPort(std::string("127.0.0.1:") + argv[1], grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  std::cout << "ready" << std::endl;
  server->Wait();
}
