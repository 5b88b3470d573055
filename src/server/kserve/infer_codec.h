// The body of an inference: JSON, with the binary tensor extension, in both directions.
//
//   parse_infer: foreign bytes to serving::TensorRequest      infer_response: its answer to a body
// Thread-safety: pure functions. Limits: base/limits.h; a shape never claims more than the body holds.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/message.h"
#include "serving/tensor_model.h"

namespace ingot::kserve {

struct WantedOutput {
  std::string name;
  bool binary = false;
  int64_t classes = 0;  // classification extension: so many best entries; 0: the values
};

struct InferRequest {
  std::string id;
  serving::TensorRequest tensors;     // without on_done
  std::vector<WantedOutput> outputs;  // empty: all
  bool binary_default = false;        // for those, and for outputs that do not say
};

// What a request's parameters ask for (timeout, binary_data_output, sequence_id).
// Errors: kInvalidArgument naming the parameter, kUnimplemented.
Result<void> read_request_parameters(const boost::json::object& parameters, InferRequest& request);
// One more output that is wanted, with its parameters. Errors: the same, and kInvalidArgument (asked for twice).
Result<void> read_wanted_output(std::string name, const boost::json::object* parameters, InferRequest& request);
// dims as the protocol has them. Errors: kInvalidArgument (rank, negative sizes, too many elements).
Result<Shape> checked_shape(std::span<const int64_t> dims, std::string_view input);

// ports: the model's inputs, for raw requests (json_bytes 0: the body is the one input's bytes).
// json_bytes: of Inference-Header-Content-Length; absent: all of the body is JSON.
// Errors: kInvalidArgument, naming the tensor; kUnimplemented (shared memory).
Result<InferRequest> parse_infer(std::string_view body, std::optional<size_t> json_bytes,
                                 const std::vector<serving::TensorPort>& ports);

// Errors: kInvalidArgument (classification of what has no order).
Result<http::Response> infer_response(const InferRequest& request, const serving::TensorAnswer& answer,
                                      std::string_view model, int64_t version);

}  // namespace ingot::kserve
