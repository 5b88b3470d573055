// An inference as protobuf messages: foreign tensors to serving::TensorRequest, its answer to a message.
//
// The meaning of parameters and classification is kserve's; here are only the wire types.
// Thread-safety: pure functions. Limits: a shape never claims more than the message holds.
#pragma once

#include <boost/json/object.hpp>

#include "server/grpc/inference.pb.h"
#include "server/kserve/infer_codec.h"
#include "serving/model_repository.h"

namespace ingot::rpc {

using Parameters = google::protobuf::Map<std::string, inference::InferParameter>;

// {"name": true | 1 | "text" | 0.5}
boost::json::object parameters_json(const Parameters& parameters);

// Tensors from raw_input_contents, whose bytes are taken out of the message, or from each input's contents; wanted
// outputs, parameters.
// Errors: kInvalidArgument naming the tensor; kUnimplemented (sequences; shared memory, where it is off).
Result<kserve::InferRequest> read_infer(inference::ModelInferRequest& message,
                                        const kserve::SharedRegions& regions = kserve::SharedRegions::none());

// Errors: kInvalidArgument (classification of what has no order), kUnimplemented (a type that the protocol lacks).
Result<void> write_infer(const kserve::InferRequest& request, const serving::TensorAnswer& answer,
                         const serving::Servable& model, inference::ModelInferResponse& message);

// Names and id; tensors follow.
void write_head(const std::string& id, const serving::Servable& model, inference::ModelInferResponse& message);
void add_output(const std::string& name, std::string_view datatype, const Shape& shape, std::string bytes,
                inference::ModelInferResponse& message);

}  // namespace ingot::rpc
