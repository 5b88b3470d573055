// infer_codec.h, parse_infer: what a client sent, checked and turned into tensors.
#include <boost/json.hpp>

#include "base/limits.h"
#include "base/memory.h"
#include "formats/printable.h"
#include "server/kserve/datatype.h"
#include "server/kserve/face.h"
#include "server/kserve/infer_codec.h"
#include "server/kserve/tensor_json.h"
#include "serving/config/model_settings.h"
#include "serving/tensor_rows.h"

namespace ingot::kserve {
namespace {

namespace json = boost::json;

constexpr int kDepthMax = 100;
constexpr size_t kTakenUnasked = limits::kHttpBodyBytesMax;  // of shared memory; before more, memory is looked at

// The field, if it is there and not null.
const json::value* field(const json::object& o, std::string_view name) {
  const json::value* v = o.if_contains(name);
  return v && !v->is_null() ? v : nullptr;
}

Result<std::string> string_field(const json::object& o, std::string_view name, std::string_view of) {
  const json::value* v = field(o, name);
  if (!v || !v->is_string()) return invalid("[kserve] {}: '{}' must be a string", of, name);
  return std::string(v->get_string());
}

const json::object* parameters_of(const json::object& o) {
  const json::value* v = field(o, "parameters");
  return v ? v->if_object() : nullptr;
}

Result<std::optional<uint64_t>> count_parameter(const json::object* parameters, std::string_view name,
                                                std::string_view of) {
  const json::value* v = parameters ? field(*parameters, name) : nullptr;
  if (!v) return std::nullopt;
  if (!v->is_int64() || v->get_int64() < 0) return invalid("[kserve] {}: parameter '{}' must be a count", of, name);
  return static_cast<uint64_t>(v->get_int64());
}

Result<bool> flag_parameter(const json::object* parameters, std::string_view name, bool fallback, std::string_view of) {
  const json::value* v = parameters ? field(*parameters, name) : nullptr;
  if (!v) return fallback;
  if (!v->is_bool()) return invalid("[kserve] {}: parameter '{}' must be true or false", of, name);
  return v->get_bool();
}

Result<Shape> read_shape(const json::object& input, std::string_view name) {
  const json::value* v = field(input, "shape");
  if (!v || !v->is_array()) return invalid("[kserve] input '{}': 'shape' must be an array", name);
  std::vector<int64_t> dims;
  for (const json::value& d : v->get_array()) {
    if (!d.is_int64()) return invalid("[kserve] input '{}': 'shape' holds what is no size", name);
    dims.push_back(d.get_int64());
  }
  return checked_shape(dims, name);
}

// Takes the input's tensor from its 'data' or from the front of `binary`.
Result<serving::NamedTensor> read_input(const json::value& v, std::string_view& binary, const SharedRegions& regions) {
  const json::object* input = v.if_object();
  if (!input) return invalid("[kserve] an entry of 'inputs' is not an object");
  serving::NamedTensor out;
  out.name = INGOT_TRY(string_field(*input, "name", "an input"));
  const std::string name = printable(out.name);
  const std::string type = INGOT_TRY(string_field(*input, "datatype", fmt::format("input '{}'", name)));
  const auto dtype = dtype_of(type);
  if (!dtype) return invalid("[kserve] input '{}': datatype '{}' is unknown", name, printable(type));
  const Shape shape = INGOT_TRY(read_shape(*input, name));
  const json::object* parameters = parameters_of(*input);
  const auto slice = INGOT_TRY(read_slice(parameters, regions, fmt::format("input '{}'", name)));
  const auto bytes = INGOT_TRY(count_parameter(parameters, "binary_data_size", fmt::format("input '{}'", name)));
  const json::value* data = field(*input, "data");
  const int sources = bytes.has_value() + (data != nullptr) + slice.has_value();
  if (sources != 1)
    return invalid(
        "[kserve] input '{}' must set only one of the following fields: 'data', 'binary_data_size' in "
        "'parameters', 'shared_memory_region' in 'parameters'. But {} set",
        name, sources > 1 ? "several are" : "no field is");
  if (slice) {
    out.tensor = INGOT_TRY(tensor_from_slice(*slice, *dtype, shape, out.name));
    return out;
  }
  if (data) {
    out.tensor = INGOT_TRY(tensor_from_json(*data, *dtype, shape, out.name));
    return out;
  }
  if (*bytes > binary.size())
    return invalid("[kserve] unexpected size for input '{}', expecting {} additional bytes", name,
                   *bytes - binary.size());
  out.tensor = INGOT_TRY(tensor_from_bytes(binary.substr(0, *bytes), *dtype, shape, out.name));
  binary.remove_prefix(*bytes);
  return out;
}

Result<void> read_outputs(const json::object& document, const SharedRegions& regions, InferRequest& request) {
  const json::value* outputs = field(document, "outputs");
  if (!outputs) return {};
  if (!outputs->is_array()) return invalid("[kserve] 'outputs' must be an array");
  for (const json::value& v : outputs->get_array()) {
    const json::object* output = v.if_object();
    if (!output) return invalid("[kserve] an entry of 'outputs' is not an object");
    INGOT_TRY(read_wanted_output(INGOT_TRY(string_field(*output, "name", "an output")), parameters_of(*output), regions,
                                 request));
  }
  return {};
}

Result<void> read_parameters(const json::object& document, InferRequest& request) {
  if (const json::value* id = field(document, "id")) {
    if (!id->is_string()) return invalid("[kserve] 'id' must be a string");
    request.id = id->get_string();
  }
  const json::object* parameters = parameters_of(document);
  return parameters ? read_request_parameters(*parameters, request) : Result<void>();
}

// The whole body is the bytes of the model's only input, of batch 1; at most one size is open, and follows.
Result<InferRequest> parse_raw(std::string_view body, const std::vector<serving::TensorPort>& ports) {
  if (ports.size() != 1)
    return invalid("[kserve] a raw binary request needs a model with one input, not {}", ports.size());
  const serving::TensorPort& port = ports.front();
  InferRequest request;
  request.binary_default = true;
  std::vector<int64_t> dims = port.shape;
  if (port.dtype == DType::kString) {
    Tensor t = Tensor::allocate(DType::kString, Shape(std::vector<int64_t>(dims.size(), 1)));
    t.mutable_as<std::string>()[0] = body;
    request.tensors.inputs.push_back({port.name, std::move(t)});
    return request;
  }
  if (!dims.empty() && dims.front() == -1 && dims.size() > 1) dims.front() = 1;  // the batch
  int64_t known = 1, open = 0;
  for (const int64_t d : dims) {
    known *= d > 0 ? d : 1;
    open += d < 0;
  }
  const auto row = static_cast<int64_t>(dtype_bytes(port.dtype, known));
  if (!port.ranked || open > 1 || row == 0 || static_cast<int64_t>(body.size()) % row != 0)
    return invalid("[kserve] the shape of input '{}' does not follow from {} bytes", printable(port.name), body.size());
  for (int64_t& d : dims)
    if (d < 0) d = static_cast<int64_t>(body.size()) / row;
  request.tensors.inputs.push_back({port.name, INGOT_TRY(tensor_from_bytes(body, port.dtype, Shape(dims), port.name))});
  return request;
}

}  // namespace

Result<Shape> checked_shape(std::span<const int64_t> dims, std::string_view input) {
  if (dims.size() > limits::kRankMax)
    return invalid("[kserve] input '{}' has {} dimensions, at most {} are possible", input, dims.size(),
                   limits::kRankMax);
  Shape shape;
  int64_t elements = 1;
  for (const int64_t d : dims) {
    if (d < 0) return invalid("[kserve] input '{}': 'shape' holds what is no size", input);
    if (__builtin_mul_overflow(elements, d, &elements) || elements > limits::kTensorElementsMax)
      return invalid("[kserve] input '{}': 'shape' has too many elements", input);
    shape.push_back(d);
  }
  return shape;
}

Result<void> read_wanted_output(std::string name, const json::object* parameters, const SharedRegions& regions,
                                InferRequest& request) {
  WantedOutput wanted{.name = std::move(name)};
  const std::string of = fmt::format("output '{}'", printable(wanted.name));
  if (request.outputs.size() >= serving::kPortsMax)
    return invalid("[kserve] more than {} outputs are requested", serving::kPortsMax);
  for (const WantedOutput& other : request.outputs)
    if (other.name == wanted.name) return invalid("[kserve] {} is requested twice", of);
  wanted.place = INGOT_TRY(read_slice(parameters, regions, of));
  wanted.binary = INGOT_TRY(flag_parameter(parameters, "binary_data", request.binary_default, of));
  wanted.classes = static_cast<int64_t>(INGOT_TRY(count_parameter(parameters, "classification", of)).value_or(0));
  request.tensors.outputs.push_back(wanted.name);
  request.outputs.push_back(std::move(wanted));
  return {};
}

Result<std::optional<SharedSlice>> read_slice(const json::object* parameters, const SharedRegions& regions,
                                              std::string_view of) {
  const json::value* region = parameters ? field(*parameters, "shared_memory_region") : nullptr;
  if (!region) return std::nullopt;
  if (!region->is_string()) return invalid("[kserve] {}: parameter 'shared_memory_region' must be a string", of);
  const uint64_t offset = INGOT_TRY(count_parameter(parameters, "shared_memory_offset", of)).value_or(0);
  const auto bytes = INGOT_TRY(count_parameter(parameters, "shared_memory_byte_size", of));
  if (!bytes) return invalid("[kserve] {}: parameter 'shared_memory_byte_size' is missing", of);
  return INGOT_TRY(regions.slice(std::string(region->get_string()), offset, *bytes));
}

Result<Tensor> tensor_from_slice(const SharedSlice& slice, DType dtype, const Shape& shape, std::string_view name) {
  if (dtype == DType::kString) {
    if (slice.bytes > kTakenUnasked)
      INGOT_TRY(check_memory(fmt::format("input '{}'", printable(name)), 2.0 * static_cast<double>(slice.bytes),
                             "send less at once"));
    return tensor_from_bytes(INGOT_TRY(slice.read()), dtype, shape, name);
  }
  const size_t wanted = dtype_bytes(dtype, shape.num_elements());
  if (slice.bytes != wanted)
    return invalid("[kserve] input '{}': shape {} of {} needs {} bytes, 'shared_memory_byte_size' is {}",
                   printable(name), shape.to_string(), dtype_name(dtype), wanted, slice.bytes);
  if (wanted > kTakenUnasked)  // an object of holes may claim any size
    INGOT_TRY(
        check_memory(fmt::format("input '{}'", printable(name)), static_cast<double>(wanted), "send less at once"));
  Tensor t = serving::allocate_uncleared(dtype, shape);
  INGOT_TRY(slice.region->read(slice.offset, std::span(t.mutable_as<std::byte>(), wanted)));
  normalize_bools(t);
  return t;
}

Result<uint64_t> write_to_slice(const SharedSlice& slice, const Tensor& tensor, std::string_view name) {
  const std::string strings = tensor.dtype() == DType::kString ? string_bytes(tensor) : std::string();
  const std::span<const std::byte> bytes = tensor.dtype() == DType::kString
                                               ? std::as_bytes(std::span(strings))
                                               : std::span(tensor.as<std::byte>(), tensor.view().num_bytes());
  if (bytes.size() > slice.bytes)
    return invalid(
        "[kserve] shared memory size specified with the request for output '{}' ({} bytes) should be at least {} bytes "
        "to hold the results",
        printable(name), slice.bytes, bytes.size());
  INGOT_TRY(slice.write(bytes));
  return bytes.size();
}

Result<void> read_request_parameters(const json::object& parameters, InferRequest& request) {
  request.binary_default = INGOT_TRY(flag_parameter(&parameters, "binary_data_output", false, "the request"));
  const auto timeout_us = INGOT_TRY(count_parameter(&parameters, "timeout", "the request"));
  if (timeout_us.value_or(0) < 1'000'000'000'000)
    request.tensors.timeout = std::chrono::microseconds(timeout_us.value_or(0));
  request.tensors.priority = INGOT_TRY(count_parameter(&parameters, "priority", "the request")).value_or(0);
  const auto sequence = field(parameters, "sequence_id");
  const bool none = !sequence || (sequence->is_int64() && sequence->get_int64() == 0) ||
                    (sequence->is_string() && sequence->get_string().empty());
  if (!none) return unimplemented("[kserve] sequences are not supported yet");
  return {};
}

Result<InferRequest> parse_infer(std::string_view body, std::optional<size_t> json_bytes,
                                 const std::vector<serving::TensorPort>& ports, const SharedRegions& regions) {
  if (json_bytes && *json_bytes == 0) return parse_raw(body, ports);
  if (json_bytes && *json_bytes > body.size())
    return invalid("[kserve] inference header size should be in range (0, {}), got: {}", body.size(), *json_bytes);
  const size_t json_size = json_bytes.value_or(body.size());
  const json::object object = INGOT_TRY(object_of(body.substr(0, json_size), kDepthMax));
  std::string_view binary = body.substr(json_size);
  InferRequest request;
  INGOT_TRY(read_parameters(object, request));
  const json::value* inputs = field(object, "inputs");
  if (!inputs || !inputs->is_array()) return invalid("[kserve] 'inputs' must be an array");
  for (const json::value& input : inputs->get_array())
    request.tensors.inputs.push_back(INGOT_TRY(read_input(input, binary, regions)));
  if (!binary.empty()) return invalid("[kserve] unexpected additional input data: {} bytes", binary.size());
  INGOT_TRY(read_outputs(object, regions, request));
  return request;
}

}  // namespace ingot::kserve
