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
#include "server/kserve/shared_memory.h"
#include "serving/tensor_model.h"

namespace ingot::kserve {

struct WantedOutput {
  std::string name;
  bool binary = false;
  int64_t classes = 0;               // classification extension: so many best entries; 0: the values
  std::optional<SharedSlice> place;  // where it is written to, in place of the answer
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
Result<void> read_wanted_output(std::string name, const boost::json::object* parameters, const SharedRegions& regions,
                                InferRequest& request);
// The part of a region that an input's or output's parameters name; nothing if they name none.
// Errors: kInvalidArgument, kUnimplemented (shared memory is off).
Result<std::optional<SharedSlice>> read_slice(const boost::json::object* parameters, const SharedRegions& regions,
                                              std::string_view of);
// Its bytes as a tensor, a copy. Errors: kInvalidArgument (sizes), those of SharedRegion::read.
Result<Tensor> tensor_from_slice(const SharedSlice& slice, DType dtype, const Shape& shape, std::string_view name);
// Writes an output to its place; returns the bytes it took. Errors: kInvalidArgument (too small), as above.
Result<uint64_t> write_to_slice(const SharedSlice& slice, const Tensor& tensor, std::string_view name);
// dims as the protocol has them. Errors: kInvalidArgument (rank, negative sizes, too many elements).
Result<Shape> checked_shape(std::span<const int64_t> dims, std::string_view input);

// ports: the model's inputs, for raw requests (json_bytes 0: the body is the one input's bytes).
// json_bytes: of Inference-Header-Content-Length; absent: all of the body is JSON.
// Errors: kInvalidArgument, naming the tensor; kUnimplemented (shared memory, where it is off).
Result<InferRequest> parse_infer(std::string_view body, std::optional<size_t> json_bytes,
                                 const std::vector<serving::TensorPort>& ports,
                                 const SharedRegions& regions = SharedRegions::none());

// Errors: kInvalidArgument (classification of what has no order; a place that is too small).
Result<http::Response> infer_response(const InferRequest& request, const serving::TensorAnswer& answer,
                                      std::string_view model, int64_t version);

}  // namespace ingot::kserve
