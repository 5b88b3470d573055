// infer_codec.h, infer_response: an answer as JSON, its tensors inside or as bytes behind it.
#include <algorithm>
#include <boost/json.hpp>
#include <numeric>

#include "formats/printable.h"
#include "server/kserve/datatype.h"
#include "server/kserve/infer_codec.h"
#include "server/kserve/tensor_json.h"
#include "tensor/half.h"

namespace ingot::kserve {
namespace {

constexpr int64_t kClassifiedElementsMax = 1'000'000;

std::string quoted(std::string_view text) { return boost::json::serialize(boost::json::string(valid_utf8(text))); }

std::string shape_json(const Shape& shape) {
  std::string out = "[";
  for (int i = 0; i < shape.rank(); ++i) out += fmt::format("{}{}", i > 0 ? "," : "", shape[i]);
  return out + "]";
}

bool has_order(DType type) { return type != DType::kString && type != DType::kBool && !datatype_of(type).empty(); }

double value_at(const TensorView& t, int64_t i) {
  switch (t.dtype) {
    case DType::kF32: return t.as<float>()[i];
    case DType::kF64: return t.as<double>()[i];
    case DType::kF16: return half_to_float(t.as<uint16_t>()[i]);
    case DType::kBF16: return bf16_to_float(t.as<uint16_t>()[i]);
    case DType::kI8: return t.as<int8_t>()[i];
    case DType::kI16: return t.as<int16_t>()[i];
    case DType::kI32: return t.as<int32_t>()[i];
    case DType::kI64: return static_cast<double>(t.as<int64_t>()[i]);
    case DType::kU8: return t.as<uint8_t>()[i];
    case DType::kU16: return t.as<uint16_t>()[i];
    case DType::kU32: return t.as<uint32_t>()[i];
    case DType::kU64: return static_cast<double>(t.as<uint64_t>()[i]);
    default: return 0;
  }
}

// The k best of each row as "value:index" strings, [rows, k] (or [k] of a vector).
Result<Tensor> classify(const serving::NamedTensor& output, int64_t k) {
  const TensorView t = output.tensor;
  if (!has_order(t.dtype))
    return invalid("[kserve] class result not available for output due to unsupported type '{}'", datatype_of(t.dtype));
  if (t.num_elements() > kClassifiedElementsMax || t.shape.rank() == 0)
    return invalid("[kserve] classification output tensor too large, or a single value");
  const int64_t rows = t.shape.rank() > 1 ? t.shape[0] : 1;
  const int64_t width = rows > 0 ? t.num_elements() / rows : 0;
  k = std::min(k, width);
  Tensor out = Tensor::allocate(DType::kString, t.shape.rank() > 1 ? Shape{rows, k} : Shape{k});
  std::vector<int64_t> order(static_cast<size_t>(width));
  for (int64_t r = 0; r < rows; ++r) {
    std::iota(order.begin(), order.end(), int64_t{0});
    std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t a, int64_t b) {
      const double x = value_at(t, r * width + a), y = value_at(t, r * width + b);
      return x != y ? x > y : a < b;
    });
    const bool whole = !is_float(t.dtype);
    for (int64_t i = 0; i < k; ++i) {
      const double value = value_at(t, r * width + order[static_cast<size_t>(i)]);
      out.mutable_as<std::string>()[r * k + i] = whole ? fmt::format("{:.0f}:{}", value, order[static_cast<size_t>(i)])
                                                       : fmt::format("{:f}:{}", value, order[static_cast<size_t>(i)]);
    }
  }
  return out;
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
    if (wanted.binary) {
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
