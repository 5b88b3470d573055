#include "formats/onnx/types.h"

namespace ingot::onnx {
namespace {

Result<Type> tensor_type(const pb::TypeDef::TensorType& tensor, const std::string& name, const NameDim& name_dim) {
  const auto dtype = dtype_of(tensor.elem_type());
  if (!dtype) return invalid("[onnx] value '{}': element type {} is not known", name, tensor.elem_type());
  if (!tensor.has_shape()) return Type{*dtype, std::nullopt};
  if (tensor.shape().dim_size() > limits::kRankMax)
    return invalid("[onnx] value '{}': rank {} is over the limit {}", name, tensor.shape().dim_size(),
                   limits::kRankMax);
  Dims dims;
  for (int i = 0; i < tensor.shape().dim_size(); ++i) {
    const auto& d = tensor.shape().dim(i);
    if (d.dim_value() > limits::kTensorElementsMax)
      return invalid("[onnx] value '{}': dimension {} is over the limit", name, d.dim_value());
    dims.push_back(d.has_dim_value() && d.dim_value() >= 0 ? Dim(d.dim_value()) : name_dim(i, d.dim_param()));
  }
  return Type::of(*dtype, std::move(dims));
}

Result<Type> type_at(const pb::TypeDef& type, const std::string& name, const NameDim& name_dim, int depth) {
  if (depth > limits::kTypeDepthMax)
    return invalid("[onnx] value '{}': its type is nested deeper than {}", name, limits::kTypeDepthMax);
  static const NameDim unknown = [](int, const std::string&) { return Dim::unknown(); };
  if (type.has_tensor_type()) return tensor_type(type.tensor_type(), name, name_dim);
  if (type.has_sequence_type())
    return Type::sequence(INGOT_TRY(type_at(type.sequence_type().elem_type(), name, unknown, depth + 1)));
  if (type.has_optional_type())
    return Type::optional(INGOT_TRY(type_at(type.optional_type().elem_type(), name, unknown, depth + 1)));
  if (!type.has_map_type())
    return unimplemented("[onnx] value '{}': neither a tensor nor a sequence, map or optional", name);
  const auto key = dtype_of(type.map_type().key_type());
  if (!key) return invalid("[onnx] value '{}': key type {} is not known", name, type.map_type().key_type());
  Type value = INGOT_TRY(type_at(type.map_type().value_type(), name, unknown, depth + 1));
  if (value.is_container())
    return unimplemented("[onnx] value '{}': a map to {}; only maps to tensors", name, value.to_string());
  // All values lie in one tensor, one element for each key.
  return Type::container(DType::kMap, {Type::of(*key, {Dim::unknown()}), Type{value.dtype, std::nullopt}});
}

std::unexpected<Status> unlike(const Type& type) { return invalid("[onnx] a value is no {}", type.to_string()); }

Result<Tensor> read_tensor(const pb::TensorDef& proto, const Type& type, TensorReader& tensors) {
  bool file_backed = false;
  Tensor t = INGOT_TRY(tensors.read(proto, &file_backed));
  if (const std::string misfit = find_misfit(t.view(), type); !misfit.empty()) return invalid("[onnx] {}", misfit);
  return t;
}

}  // namespace

Result<Type> type_of(const pb::TypeDef& type, const std::string& name, const NameDim& name_dim) {
  return type_at(type, name, name_dim, 0);
}

Result<Tensor> read_value(const pb::Sequence& value, const Type& type, TensorReader& tensors) {
  if (type.dtype != DType::kSequence) return unlike(type);
  const Type& element = type.element();
  const int n = !element.is_container()             ? value.tensor_values_size()
                : element.dtype == DType::kSequence ? value.sequence_values_size()
                : element.dtype == DType::kOptional ? value.optional_values_size()
                                                    : value.map_values_size();
  if (n > limits::kSequenceElementsMax)
    return invalid("[onnx] a sequence of {} elements, the limit is {}", n, limits::kSequenceElementsMax);
  Tensor out = Tensor::allocate(DType::kSequence, Shape{n});
  for (int i = 0; i < n; ++i) {
    Tensor& e = out.mutable_as<Tensor>()[i];
    switch (element.dtype) {
      case DType::kSequence: e = INGOT_TRY(read_value(value.sequence_values(i), element, tensors)); break;
      case DType::kOptional: e = INGOT_TRY(read_value(value.optional_values(i), element, tensors)); break;
      case DType::kMap: e = INGOT_TRY(read_value(value.map_values(i), element, tensors)); break;
      default: e = INGOT_TRY(read_tensor(value.tensor_values(i), element, tensors));
    }
  }
  return out;
}

Result<Tensor> read_value(const pb::OptionalValue& value, const Type& type, TensorReader& tensors) {
  if (type.dtype != DType::kOptional) return unlike(type);
  const Type& element = type.element();
  const bool full = !element.is_container()             ? value.has_tensor_value()
                    : element.dtype == DType::kSequence ? value.has_sequence_value()
                    : element.dtype == DType::kOptional ? value.has_optional_value()
                                                        : value.has_map_value();
  Tensor out = Tensor::allocate(DType::kOptional, Shape{full ? 1 : 0});
  if (!full) return out;
  Tensor& e = *out.mutable_as<Tensor>();
  switch (element.dtype) {
    case DType::kSequence: e = INGOT_TRY(read_value(value.sequence_value(), element, tensors)); break;
    case DType::kOptional: e = INGOT_TRY(read_value(value.optional_value(), element, tensors)); break;
    case DType::kMap: e = INGOT_TRY(read_value(value.map_value(), element, tensors)); break;
    default: e = INGOT_TRY(read_tensor(value.tensor_value(), element, tensors));
  }
  return out;
}

Result<Tensor> read_value(const pb::Map& value, const Type& type, TensorReader& tensors) {
  if (type.dtype != DType::kMap) return unlike(type);
  const bool strings = type.elements[0].dtype == DType::kString;
  if (!strings && type.elements[0].dtype != DType::kI64) return unlike(type);
  const int n = strings ? value.string_keys_size() : value.keys_size();
  if (value.values().tensor_values_size() != 1) return invalid("[onnx] a map whose values are not one tensor");
  Tensor out = Tensor::allocate(DType::kMap, Shape{2});
  Tensor keys = Tensor::allocate(type.elements[0].dtype, Shape{n});
  for (int i = 0; i < n; ++i) {
    if (strings)
      keys.mutable_as<std::string>()[i] = value.string_keys(i);
    else
      keys.mutable_as<int64_t>()[i] = value.keys(i);
  }
  out.mutable_as<Tensor>()[0] = std::move(keys);
  out.mutable_as<Tensor>()[1] = INGOT_TRY(read_tensor(value.values().tensor_values(0), type.elements[1], tensors));
  return out;
}

}  // namespace ingot::onnx
