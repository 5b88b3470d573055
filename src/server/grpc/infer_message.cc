#include "server/grpc/infer_message.h"

#include <limits>

#include "formats/printable.h"
#include "server/kserve/classification.h"
#include "server/kserve/datatype.h"
#include "server/kserve/tensor_json.h"

namespace ingot::rpc {
namespace {

namespace json = boost::json;
using inference::InferTensorContents;
using inference::ModelInferRequest;

// Copies a list of the message; T is the tensor's element, which may be narrower than the list's.
template <class T, class List>
Result<Tensor> take_list(const List& list, DType dtype, const Shape& shape, std::string_view name) {
  if (list.size() != shape.num_elements())
    return invalid("[grpc] input '{}': shape {} needs {} elements in the contents of its type, {} are given",
                   printable(name), shape.to_string(), shape.num_elements(), list.size());
  Tensor t = Tensor::allocate(dtype, shape);
  T* out = t.mutable_as<T>();
  for (int i = 0; i < list.size(); ++i) {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
      if (list[i] < std::numeric_limits<T>::min() || list[i] > std::numeric_limits<T>::max())
        return invalid("[grpc] input '{}': element {} is {}, outside {}", printable(name), i, list[i],
                       dtype_name(dtype));
    out[i] = static_cast<T>(list[i]);
  }
  return t;
}

Result<Tensor> from_contents(const InferTensorContents& c, DType dtype, const Shape& shape, std::string_view name) {
  switch (dtype) {
    case DType::kBool: return take_list<bool>(c.bool_contents(), dtype, shape, name);
    case DType::kI8: return take_list<int8_t>(c.int_contents(), dtype, shape, name);
    case DType::kI16: return take_list<int16_t>(c.int_contents(), dtype, shape, name);
    case DType::kI32: return take_list<int32_t>(c.int_contents(), dtype, shape, name);
    case DType::kI64: return take_list<int64_t>(c.int64_contents(), dtype, shape, name);
    case DType::kU8: return take_list<uint8_t>(c.uint_contents(), dtype, shape, name);
    case DType::kU16: return take_list<uint16_t>(c.uint_contents(), dtype, shape, name);
    case DType::kU32: return take_list<uint32_t>(c.uint_contents(), dtype, shape, name);
    case DType::kU64: return take_list<uint64_t>(c.uint64_contents(), dtype, shape, name);
    case DType::kF32: return take_list<float>(c.fp32_contents(), dtype, shape, name);
    case DType::kF64: return take_list<double>(c.fp64_contents(), dtype, shape, name);
    case DType::kString: return take_list<std::string>(c.bytes_contents(), dtype, shape, name);
    default:
      return invalid("[grpc] input '{}': {} has no contents in the protocol, send raw_input_contents", printable(name),
                     dtype_name(dtype));
  }
}

// The bytes of raw_input_contents, moved where there are many of them and they are what they are.
Result<Tensor> take_raw(std::string& raw, DType dtype, const Shape& shape, std::string_view name) {
  constexpr size_t kCopiedBytesMax = 64u << 10;
  const bool plain = dtype != DType::kString && dtype != DType::kBool;
  if (!plain || raw.size() <= kCopiedBytesMax || raw.size() != dtype_bytes(dtype, shape.num_elements()))
    return kserve::tensor_from_bytes(raw, dtype, shape, name);
  const auto owner = std::make_shared<std::string>(std::move(raw));
  return Tensor({dtype, shape, owner->data()}, owner);
}

// from_raw: how many of raw_input_contents were taken.
Result<serving::NamedTensor> read_input(ModelInferRequest& message, int i, const kserve::SharedRegions& regions,
                                        int& from_raw) {
  const ModelInferRequest::InferInputTensor& input = message.inputs(i);
  const std::string name = printable(input.name());
  const auto dtype = kserve::dtype_of(input.datatype());
  if (!dtype) return invalid("[grpc] input '{}': datatype '{}' is unknown", name, printable(input.datatype()));
  const Shape shape =
      INGOT_TRY(kserve::checked_shape(std::span(input.shape().data(), static_cast<size_t>(input.shape_size())), name));
  serving::NamedTensor out{.name = input.name()};
  if (input.parameters().contains("shared_memory_region")) {
    const json::object parameters = parameters_json(input.parameters());
    const auto slice = INGOT_TRY(kserve::read_slice(&parameters, regions, fmt::format("input '{}'", name)));
    if (!slice || input.has_contents())
      return invalid("[grpc] unexpected 'contents' for input '{}' when using shared memory", name);
    out.tensor = INGOT_TRY(kserve::tensor_from_slice(*slice, *dtype, shape, input.name()));
    return out;
  }
  if (message.raw_input_contents_size() == 0) {
    out.tensor = INGOT_TRY(from_contents(input.contents(), *dtype, shape, input.name()));
    return out;
  }
  if (input.has_contents())
    return invalid("[grpc] contents field must not be specified when using raw_input_contents for '{}' for model '{}'",
                   name, printable(message.model_name()));
  if (from_raw >= message.raw_input_contents_size())
    return invalid("[grpc] unable to find data for input tensor '{}' for model '{}' in request.", name,
                   printable(message.model_name()));
  out.tensor = INGOT_TRY(take_raw(*message.mutable_raw_input_contents(from_raw++), *dtype, shape, input.name()));
  return out;
}

// A parameter as the JSON that the same thing is over HTTP.
json::value parameter_json(const inference::InferParameter& p) {
  switch (p.parameter_choice_case()) {
    case inference::InferParameter::kBoolParam: return p.bool_param();
    case inference::InferParameter::kInt64Param: return p.int64_param();
    case inference::InferParameter::kUint64Param:
      if (p.uint64_param() <= std::numeric_limits<int64_t>::max()) return static_cast<int64_t>(p.uint64_param());
      return p.uint64_param();
    case inference::InferParameter::kDoubleParam: return p.double_param();
    case inference::InferParameter::kStringParam: return json::string(valid_utf8(p.string_param()));
    case inference::InferParameter::PARAMETER_CHOICE_NOT_SET: break;
  }
  return nullptr;
}

}  // namespace

json::object parameters_json(const Parameters& parameters) {
  json::object out;
  for (const auto& [name, value] : parameters) out[valid_utf8(name)] = parameter_json(value);
  return out;
}

Result<kserve::InferRequest> read_infer(ModelInferRequest& message, const kserve::SharedRegions& regions) {
  kserve::InferRequest request;
  request.id = message.id();
  INGOT_TRY(kserve::read_request_parameters(parameters_json(message.parameters()), request));
  int from_raw = 0;
  for (int i = 0; i < message.inputs_size(); ++i)
    request.tensors.inputs.push_back(INGOT_TRY(read_input(message, i, regions, from_raw)));
  if (from_raw < message.raw_input_contents_size())
    return invalid("[grpc] {} raw_input_contents for {} inputs that take {}", message.raw_input_contents_size(),
                   message.inputs_size(), from_raw);
  for (const auto& output : message.outputs()) {
    const json::object parameters = parameters_json(output.parameters());
    INGOT_TRY(kserve::read_wanted_output(output.name(), &parameters, regions, request));
  }
  return request;
}

void write_head(const std::string& id, const serving::Servable& model, inference::ModelInferResponse& message) {
  message.set_id(id);
  message.set_model_name(model.name);
  message.set_model_version(std::to_string(model.version));
}

// Where a tensor was written to. Its place among the raw contents stays empty: clients count them.
void add_placed(const kserve::SharedSlice& place, uint64_t bytes, inference::ModelInferResponse& message) {
  auto& parameters = *message.mutable_outputs(message.outputs_size() - 1)->mutable_parameters();
  parameters["shared_memory_region"].set_string_param(place.region->name());
  parameters["shared_memory_offset"].set_int64_param(static_cast<int64_t>(place.offset));
  parameters["shared_memory_byte_size"].set_int64_param(static_cast<int64_t>(bytes));
}

void add_output(const std::string& name, std::string_view datatype, const Shape& shape, std::string bytes,
                inference::ModelInferResponse& message) {
  auto* output = message.add_outputs();
  output->set_name(name);
  output->set_datatype(std::string(datatype));
  for (int i = 0; i < shape.rank(); ++i) output->add_shape(shape[i]);
  *message.add_raw_output_contents() = std::move(bytes);
}

Result<void> write_infer(const kserve::InferRequest& request, const serving::TensorAnswer& answer,
                         const serving::Servable& model, inference::ModelInferResponse& message) {
  write_head(request.id, model, message);
  for (size_t i = 0; i < answer.outputs.size(); ++i) {
    const serving::NamedTensor& output = answer.outputs[i];
    const int64_t classes = i < request.outputs.size() ? request.outputs[i].classes : 0;
    const Tensor t = classes > 0 ? INGOT_TRY(kserve::classify(output, classes)) : output.tensor;
    const std::string_view datatype = kserve::datatype_of(t.dtype());
    if (datatype.empty())
      return unimplemented("[grpc] output '{}' is {}, which the protocol does not have", printable(output.name),
                           dtype_name(t.dtype()));
    if (i < request.outputs.size() && request.outputs[i].place) {
      const kserve::SharedSlice& place = *request.outputs[i].place;
      const uint64_t written = INGOT_TRY(kserve::write_to_slice(place, t, output.name));
      add_output(output.name, datatype, t.shape(), {}, message);
      add_placed(place, written, message);
      continue;
    }
    std::string bytes =
        t.dtype() == DType::kString ? kserve::string_bytes(t) : std::string(t.as<char>(), t.view().num_bytes());
    add_output(output.name, datatype, t.shape(), std::move(bytes), message);
  }
  return {};
}

}  // namespace ingot::rpc
