// Every call of inference.GRPCInferenceService: the short ones answered here, the others begun.
// Ownership: borrows the Face. Thread-safety: gRPC calls it from its threads.
#pragma once

#include "server/grpc/call.h"
#include "server/grpc/inference.grpc.pb.h"

namespace ingot::rpc {

// One handler for each call of inference.proto, by its name.
std::unique_ptr<grpc::Service> make_service(Face& face);

}  // namespace ingot::rpc
