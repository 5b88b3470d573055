// infer_codec.h, infer_response: an answer as JSON, its tensors inside or as bytes behind it.
#include <boost/json.hpp>

#include "formats/printable.h"
#include "server/kserve/classification.h"
#include "server/kserve/datatype.h"
#include "server/kserve/infer_codec.h"
#include "server/kserve/tensor_json.h"

namespace ingot::kserve {
namespace {

std::string quoted(std::string_view text) { return boost::json::serialize(boost::json::string(valid_utf8(text))); }

std::string shape_json(const Shape& shape) {
  std::string out = "[";
  for (int i = 0; i < shape.rank(); ++i) out += fmt::format("{}{}", i > 0 ? "," : "", shape[i]);
  return out + "]";
}

// The bytes of a tensor on the wire, without a copy where they are what they are.
http::BodyPart wire_bytes(const Tensor& t) {
  if (t.dtype() == DType::kString) {
    auto bytes = std::make_shared<std::string>(string_bytes(t));
    return {std::as_bytes(std::span(*bytes)), bytes};
  }
  return {std::span(t.as<std::byte>(), t.view().num_bytes()), t.storage()};
}

}  // namespace

Result<http::Response> infer_response(const InferRequest& request, const serving::TensorAnswer& answer,
                                      std::string_view model, int64_t version) {
  http::Response response;
  std::string& body = response.body;
  body = "{";
  if (!request.id.empty()) body += fmt::format("\"id\":{},", quoted(request.id));
  body += fmt::format("\"model_name\":{},\"model_version\":\"{}\",\"outputs\":[", quoted(model), version);
  for (size_t i = 0; i < answer.outputs.size(); ++i) {
    const serving::NamedTensor& output = answer.outputs[i];
    WantedOutput wanted{.name = output.name, .binary = request.binary_default};
    if (i < request.outputs.size()) wanted = request.outputs[i];
    const Tensor tensor = wanted.classes > 0 ? INGOT_TRY(classify(output, wanted.classes)) : output.tensor;
    if (datatype_of(tensor.dtype()).empty())
      return unimplemented("[kserve] output '{}' is {}, which the protocol does not have", printable(output.name),
                           dtype_name(tensor.dtype()));
    body += fmt::format("{}{{\"name\":{},\"datatype\":\"{}\",\"shape\":{},", i > 0 ? "," : "", quoted(output.name),
                        datatype_of(tensor.dtype()), shape_json(tensor.shape()));
    if (wanted.place) {
      const uint64_t bytes = INGOT_TRY(write_to_slice(*wanted.place, tensor, output.name));
      body += fmt::format(
          "\"parameters\":{{\"shared_memory_region\":{},\"shared_memory_offset\":{},\"shared_memory_byte_size\":{}}}",
          quoted(wanted.place->region->name()), wanted.place->offset, bytes);
    } else if (wanted.binary) {
      response.parts.push_back(wire_bytes(tensor));
      body += fmt::format("\"parameters\":{{\"binary_data_size\":{}}}", response.parts.back().bytes.size());
    } else {
      body += "\"data\":";
      append_json(body, tensor);
    }
    body += "}";
  }
  body += "]}";
  if (!response.parts.empty()) {
    response.content_type = "application/octet-stream";
    response.headers.emplace_back("Inference-Header-Content-Length", std::to_string(body.size()));
  }
  return response;
}

}  // namespace ingot::kserve
