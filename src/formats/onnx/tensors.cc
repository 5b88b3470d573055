#include "formats/onnx/tensors.h"

#include <charconv>
#include <cstring>
#include <filesystem>

#include "base/memory.h"

namespace ingot::onnx {
namespace {

// Where typed fields hold the elements of a type.
enum class Field { kFloat, kInt32, kInt64, kDouble, kUint64, kString };

Field field_of(DType t) {
  switch (t) {
    case DType::kF32:
    case DType::kC64: return Field::kFloat;
    case DType::kF64:
    case DType::kC128: return Field::kDouble;
    case DType::kI64: return Field::kInt64;
    case DType::kU32:
    case DType::kU64: return Field::kUint64;
    case DType::kString: return Field::kString;
    default: return Field::kInt32;
  }
}

std::string label(const pb::TensorDef& t) {
  return t.name().empty() ? "a constant" : "'" + t.name().substr(0, 200) + "'";
}

Result<Shape> shape_of(const pb::TensorDef& t) {
  if (t.dims_size() > limits::kRankMax)
    return invalid("[onnx] tensor {}: rank {} is over the limit {}", label(t), t.dims_size(), limits::kRankMax);
  Shape shape;
  int64_t total = 1;
  for (int64_t d : t.dims()) {
    if (d < 0) return invalid("[onnx] tensor {}: dimension {} is negative", label(t), d);
    if (__builtin_mul_overflow(total, d ? d : 1, &total) || total > limits::kTensorElementsMax)
      return invalid("[onnx] tensor {}: too many elements", label(t));
    shape.push_back(d);
  }
  return shape;
}

// Bytes at `data` as a tensor that `owner` keeps alive; copied if they lie at an odd address.
Tensor borrow(const void* data, DType dtype, const Shape& shape, std::shared_ptr<const void> owner) {
  const size_t alignment = static_cast<size_t>(std::min(dtype_info(dtype).block_bytes, 8));
  const TensorView view{dtype, shape, data};
  if (reinterpret_cast<uintptr_t>(data) % alignment == 0 && shape.num_elements()) return Tensor(view, std::move(owner));
  Tensor copy = Tensor::allocate(dtype, shape);
  if (view.num_bytes()) std::memcpy(copy.mutable_view().data, data, view.num_bytes());
  return copy;
}

template <class To, class From>
void convert(Tensor& out, const From& from, size_t count) {
  for (size_t i = 0; i < count; ++i) out.mutable_as<To>()[i] = static_cast<To>(from.Get(static_cast<int>(i)));
}

Result<Tensor> read_typed(const pb::TensorDef& t, DType dtype, const Shape& shape) {
  const Field field = field_of(dtype);
  const size_t have = static_cast<size_t>(field == Field::kFloat    ? t.float_data_size()
                                          : field == Field::kInt32  ? t.int32_data_size()
                                          : field == Field::kInt64  ? t.int64_data_size()
                                          : field == Field::kDouble ? t.double_data_size()
                                          : field == Field::kUint64 ? t.uint64_data_size()
                                                                    : t.string_data_size());
  const int64_t n = shape.num_elements(), per_block = dtype_info(dtype).block_elements;
  const bool complex = dtype == DType::kC64 || dtype == DType::kC128;
  const size_t want = static_cast<size_t>(complex ? 2 * n : (n + per_block - 1) / per_block);
  if (have != want)
    return invalid("[onnx] tensor {}: {}{} needs {} values, the file has {}", label(t), dtype_name(dtype),
                   shape.to_string(), want, have);
  Tensor out = Tensor::allocate(dtype, shape);
  switch (field) {
    case Field::kFloat: convert<float>(out, t.float_data(), want); break;
    case Field::kDouble: convert<double>(out, t.double_data(), want); break;
    case Field::kInt64: convert<int64_t>(out, t.int64_data(), want); break;
    case Field::kString:
      for (size_t i = 0; i < want; ++i) out.mutable_as<std::string>()[i] = t.string_data(static_cast<int>(i));
      break;
    case Field::kUint64:
      if (dtype == DType::kU32)
        convert<uint32_t>(out, t.uint64_data(), want);
      else
        convert<uint64_t>(out, t.uint64_data(), want);
      break;
    case Field::kInt32:
      switch (dtype_info(dtype).block_bytes) {
        case 1: convert<uint8_t>(out, t.int32_data(), want); break;
        case 2: convert<uint16_t>(out, t.int32_data(), want); break;
        default: convert<int32_t>(out, t.int32_data(), want); break;
      }
  }
  return out;
}

}  // namespace

std::optional<DType> dtype_of(int32_t data_type) {
  static constexpr std::optional<DType> kTypes[] = {
      std::nullopt,       DType::kF32,    DType::kU8,         DType::kI8,   DType::kU16,  DType::kI16,
      DType::kI32,        DType::kI64,    DType::kString,     DType::kBool, DType::kF16,  DType::kF64,
      DType::kU32,        DType::kU64,    DType::kC64,        DType::kC128, DType::kBF16, DType::kF8E4M3FN,
      DType::kF8E4M3FNUZ, DType::kF8E5M2, DType::kF8E5M2FNUZ, DType::kU4,   DType::kI4,   DType::kF4E2M1,
      DType::kF8E8M0,     DType::kU2,     DType::kI2};
  if (data_type < 0 || data_type >= static_cast<int32_t>(std::size(kTypes))) return std::nullopt;
  return kTypes[data_type];
}

Result<Tensor> TensorReader::read(const pb::TensorDef& t, bool* file_backed) {
  *file_backed = false;
  const auto dtype = dtype_of(t.data_type());
  if (!dtype) return invalid("[onnx] tensor {}: element type {} is not known", label(t), t.data_type());
  const Shape shape = INGOT_TRY(shape_of(t));
  if (t.data_location() == 1) {
    *file_backed = true;
    return read_external(t, *dtype, shape);
  }
  if (!t.has_raw_data()) {
    Tensor& decoded = decoded_[&t];
    if (!decoded.defined()) decoded = INGOT_TRY(read_typed(t, *dtype, shape));
    return decoded;
  }
  if (*dtype == DType::kString) return invalid("[onnx] tensor {}: strings in raw_data", label(t));
  const size_t want = TensorView{*dtype, shape, nullptr}.num_bytes();
  if (t.raw_data().size() != want)
    return invalid("[onnx] tensor {}: {}{} needs {} bytes, raw_data has {}", label(t), dtype_name(*dtype),
                   shape.to_string(), want, t.raw_data().size());
  return borrow(t.raw_data().data(), *dtype, shape, owner_);
}

// Indices are flat, or one row of coordinates for each value.
Result<Tensor> TensorReader::read_sparse(const pb::SparseTensor& t) {
  Tensor& decoded = decoded_[&t];
  if (!decoded.defined()) decoded = INGOT_TRY(to_dense(t));
  return decoded;
}

Result<Tensor> TensorReader::to_dense(const pb::SparseTensor& t) {
  pb::TensorDef dense;
  *dense.mutable_dims() = t.dims();
  dense.set_name(t.values().name());
  const Shape shape = INGOT_TRY(shape_of(dense));
  bool file_backed = false;
  const Tensor values = INGOT_TRY(read(t.values(), &file_backed)), indices = INGOT_TRY(read(t.indices(), &file_backed));
  const int64_t n = values.shape().num_elements(), columns = indices.shape().rank() == 2 ? indices.shape()[1] : 1;
  if (indices.dtype() != DType::kI64 || indices.shape().num_elements() != n * columns ||
      (indices.shape().rank() == 2 ? columns != shape.rank() : indices.shape().rank() != 1) ||
      dtype_info(values.dtype()).block_elements != 1)
    return invalid("[onnx] sparse tensor {}: values {}{} with indices {}{}", label(t.values()),
                   dtype_name(values.dtype()), values.shape().to_string(), dtype_name(indices.dtype()),
                   indices.shape().to_string());
  if (shape.num_elements() > limits::kSparseElementsMax)
    return error(Code::kResourceExhausted, "[onnx] sparse tensor {}: {} has over {} elements", label(t.values()),
                 shape.to_string(), limits::kSparseElementsMax);
  INGOT_TRY(check_memory("a sparse tensor", static_cast<double>(TensorView{values.dtype(), shape, nullptr}.num_bytes()),
                         "use a smaller model"));
  Tensor out = Tensor::allocate(values.dtype(), shape);
  const auto bytes = dtype_bytes(values.dtype(), 1);
  for (int64_t i = 0; i < n; ++i) {
    int64_t at = 0;
    for (int64_t c = 0; c < columns; ++c) {
      const int64_t index = indices.as<int64_t>()[i * columns + c];
      const int64_t size =
          columns == 1 && indices.shape().rank() == 1 ? shape.num_elements() : shape[static_cast<int>(c)];
      if (index < 0 || index >= size)
        return invalid("[onnx] sparse tensor {}: index {} is not in [0, {})", label(t.values()), index, size);
      at = at * size + index;
    }
    const auto one = [&](const TensorView& of, int64_t k) {
      return TensorView{of.dtype, {}, of.as<std::byte>() + k * static_cast<int64_t>(bytes)};
    };
    copy_elements(one(values, i), {values.dtype(), {}, const_cast<void*>(one(out, at).data)});
  }
  return out;
}

Result<Tensor> TensorReader::read_external(const pb::TensorDef& t, DType dtype, const Shape& shape) {
  if (dtype == DType::kString) return invalid("[onnx] tensor {}: strings in an external file", label(t));
  std::string location;
  uint64_t offset = 0, length = 0;
  bool has_length = false;
  for (const auto& entry : t.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() != "offset" && entry.key() != "length") continue;
    uint64_t& to = entry.key() == "offset" ? offset : length;
    has_length |= entry.key() == "length";
    const std::string& v = entry.value();
    const auto [end, ec] = std::from_chars(v.data(), v.data() + v.size(), to);
    if (ec != std::errc() || end != v.data() + v.size())
      return invalid("[onnx] tensor {}: external {} '{}' is not a number", label(t), entry.key(), v.substr(0, 40));
  }
  const auto file = INGOT_TRY(open_external(label(t), location));
  const uint64_t size = file->bytes().size(), want = TensorView{dtype, shape, nullptr}.num_bytes();
  if (has_length && length != want)
    return invalid("[onnx] tensor {}: {}{} needs {} bytes, its external length is {}", label(t), dtype_name(dtype),
                   shape.to_string(), want, length);
  if (offset > size || want > size - offset)
    return invalid("[onnx] tensor {}: offset {} + {} bytes passes the end of '{}' ({} bytes)", label(t), offset, want,
                   location, size);
  return borrow(file->bytes().data() + offset, dtype, shape, file);
}

Result<std::shared_ptr<const MappedFile>> TensorReader::open_external(const std::string& name,
                                                                      const std::string& location) {
  namespace fs = std::filesystem;
  if (const auto it = files_.find(location); it != files_.end()) return it->second;
  if (folder_.empty()) return invalid("[onnx] tensor {}: external data need a model file, not bytes", name);
  const fs::path relative(location);
  bool inside = !location.empty() && !relative.is_absolute() && location.find('\0') == location.npos;
  for (const auto& part : relative) inside &= part != "..";
  std::error_code ec;
  const fs::path root = fs::canonical(folder_, ec);
  if (ec) return not_found("[onnx] folder '{}': {}", folder_, ec.message());
  const fs::path resolved = inside ? fs::canonical(root / relative, ec) : fs::path();
  if (inside && ec) return not_found("[onnx] tensor {}: external file '{}': {}", name, location, ec.message());
  const fs::path within = resolved.lexically_relative(root);
  if (!inside || within.empty() || *within.begin() == "..")
    return error(Code::kPermissionDenied, "[onnx] tensor {}: external file '{}' is outside the model's folder", name,
                 location.substr(0, 200));
  auto file = INGOT_TRY(MappedFile::open(resolved.string()));
  files_.emplace(location, file);
  return file;
}

}  // namespace ingot::onnx
