// Tensors of the C interface: made, borrowed, looked at.
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/limits.h"
#include "base/memory.h"
#include "capi/objects.h"

namespace ingot::capi {
namespace {

Result<DType> known_dtype(ingot_dtype dtype) {
  const auto type = dtype_of(dtype);
  if (!type) return invalid("[capi] argument 'dtype': {} is no element type", dtype);
  return *type;
}

Result<Shape> shape_of(const int64_t* dims, size_t rank, DType dtype) {
  if (rank > static_cast<size_t>(limits::kRankMax))
    return invalid("[capi] argument 'rank': {} is over the limit of {}", rank, limits::kRankMax);
  if (rank > 0) INGOT_TRY(check_pointer(dims, "dims"));
  Shape shape;
  double elements = 1;
  for (size_t i = 0; i < rank; ++i) {
    if (dims[i] < 0) return invalid("[capi] argument 'dims': dimension {} is {}", i, dims[i]);
    elements *= static_cast<double>(std::max<int64_t>(dims[i], 1));
    shape.push_back(dims[i]);
  }
  if (elements > static_cast<double>(limits::kTensorElementsMax))
    return error(Code::kResourceExhausted, "[capi] a tensor {}{} has more than 2^46 elements", dtype_name(dtype),
                 shape.to_string());
  return shape;
}

// A complex number is two of its halves.
size_t alignment_of(DType dtype) {
  const auto bytes = static_cast<size_t>(dtype_info(dtype).block_bytes);
  return dtype == DType::kC64 || dtype == DType::kC128 ? bytes / 2 : bytes;
}

Result<std::shared_ptr<ValueObject>> tensor_of(const ingot_value* value) {
  auto object = INGOT_TRY(object_of(value, "value"));
  if (kind_of(object->tensor.dtype()) != INGOT_TENSOR) return invalid("[capi] argument 'value' is not a tensor");
  return object;
}

ingot_value* handle_of(Tensor tensor) {
  return make_handle<ingot_value>(std::make_shared<ValueObject>(ValueObject{std::move(tensor)}));
}

// How many containers lie in each other; 0: a plain tensor.
int depth_of(const Tensor& tensor) {
  if (!tensor.defined() || !is_container(tensor.dtype())) return 0;
  int depth = 0;
  for (int64_t i = 0; i < tensor.shape().num_elements(); ++i) depth = std::max(depth, depth_of(tensor.as<Tensor>()[i]));
  return depth + 1;
}

// 64-byte aligned, not zeroed.
Result<std::shared_ptr<void>> allocate_memory(size_t bytes) {
  constexpr size_t kAlignment = 64, kCheckedBytesMin = size_t{64} << 20;
  if (bytes >= kCheckedBytesMin)
    INGOT_TRY(check_memory("a tensor", static_cast<double>(bytes), "make it smaller, or release others"));
  void* data = std::aligned_alloc(kAlignment, (bytes + kAlignment) / kAlignment * kAlignment);
  if (!data) return error(Code::kResourceExhausted, "[capi] no memory for {} bytes", bytes);
  return std::shared_ptr<void>(data, std::free);
}

}  // namespace

Result<Tensor> allocate_tensor(DType dtype, const Shape& shape) {
  if (holds_objects(dtype)) return Tensor::allocate(dtype, shape);
  TensorView view{dtype, shape, nullptr};
  const std::shared_ptr<void> memory = INGOT_TRY(allocate_memory(view.num_bytes()));
  view.data = memory.get();
  return Tensor(view, memory);
}

}  // namespace ingot::capi

using namespace ingot;        // NOLINT(google-build-using-namespace): this file is their C side
using namespace ingot::capi;  // NOLINT(google-build-using-namespace)

ingot_status* ingot_tensor_create(ingot_dtype dtype, const int64_t* dims, size_t rank, ingot_value** value) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(value, "value"));
    const DType type = INGOT_TRY(known_dtype(dtype));
    const Shape shape = INGOT_TRY(shape_of(dims, rank, type));
    Tensor tensor = INGOT_TRY(allocate_tensor(type, shape));
    if (type != DType::kString) std::memset(tensor.mutable_as<std::byte>(), 0, tensor.view().num_bytes());
    *value = handle_of(std::move(tensor));
    return {};
  });
}

ingot_status* ingot_tensor_from_memory(ingot_dtype dtype, const int64_t* dims, size_t rank, void* data, size_t bytes,
                                       void (*release)(void* data, void* context), void* context, ingot_value** value) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(value, "value"));
    const DType type = INGOT_TRY(known_dtype(dtype));
    if (type == DType::kString)
      return invalid("[capi] strings have no memory of the caller's: use ingot_tensor_from_strings()");
    static std::max_align_t nothing;  // a tensor without elements has an address, too: null means "absent" to kernels
    const TensorView view{type, INGOT_TRY(shape_of(dims, rank, type)), data ? data : &nothing};
    if (bytes != view.num_bytes())
      return invalid("[capi] argument 'bytes': {} bytes, a tensor {}{} has {}", bytes, dtype_name(type),
                     view.shape.to_string(), view.num_bytes());
    if (bytes > 0) INGOT_TRY(check_pointer(data, "data"));
    if (reinterpret_cast<uintptr_t>(data) % alignment_of(type) != 0)
      return invalid("[capi] argument 'data' is not aligned to {} bytes, as {} must be", alignment_of(type),
                     dtype_name(type));
    // Whoever owns the memory is told last, when nothing can fail any more.
    const auto release_later = std::make_shared<decltype(release)>(nullptr);
    auto keeper = std::shared_ptr<const void>(view.data, [release_later, data, context](const void*) {
      if (*release_later) (*release_later)(data, context);
    });
    ingot_value* made = handle_of(Tensor(view, std::move(keeper)));
    *release_later = release;
    *value = made;
    return {};
  });
}

ingot_status* ingot_tensor_from_strings(const int64_t* dims, size_t rank, const char* const* texts,
                                        const size_t* lengths, ingot_value** value) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(value, "value"));
    const Shape shape = INGOT_TRY(shape_of(dims, rank, DType::kString));
    if (shape.num_elements() > 0) INGOT_TRY(check_pointer(texts, "texts"));
    for (int64_t i = 0; i < shape.num_elements(); ++i) INGOT_TRY(check_pointer(texts[i], "texts"));
    Tensor tensor = Tensor::allocate(DType::kString, shape);
    for (int64_t i = 0; i < shape.num_elements(); ++i)
      tensor.mutable_as<std::string>()[i] = lengths ? std::string(texts[i], lengths[i]) : std::string(texts[i]);
    *value = handle_of(std::move(tensor));
    return {};
  });
}

ingot_status* ingot_value_share(const ingot_value* value, ingot_value** other) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(other, "other"));
    *other = make_handle<ingot_value>(INGOT_TRY(object_of(value, "value")));
    return {};
  });
}

void ingot_value_release(ingot_value* value) { release_handle(value); }

ingot_status* ingot_value_get_kind(const ingot_value* value, ingot_value_kind* kind) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(kind, "kind"));
    *kind = kind_of(INGOT_TRY(object_of(value, "value"))->tensor.dtype());
    return {};
  });
}

ingot_status* ingot_value_get_count(const ingot_value* value, size_t* count) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(count, "count"));
    const auto object = INGOT_TRY(object_of(value, "value"));
    if (kind_of(object->tensor.dtype()) == INGOT_TENSOR)
      return invalid("[capi] argument 'value' is a tensor: it has no values in it");
    *count = static_cast<size_t>(object->tensor.shape().num_elements());
    return {};
  });
}

ingot_status* ingot_value_get_element(const ingot_value* value, size_t index, ingot_value** element) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(element, "element"));
    const auto object = INGOT_TRY(object_of(value, "value"));
    if (kind_of(object->tensor.dtype()) == INGOT_TENSOR)
      return invalid("[capi] argument 'value' is a tensor: it has no values in it");
    const auto count = static_cast<size_t>(object->tensor.shape().num_elements());
    if (index >= count) return error(Code::kOutOfRange, "[capi] argument 'index': {} of {} values", index, count);
    *element = handle_of(object->tensor.as<Tensor>()[index]);
    return {};
  });
}

ingot_status* ingot_sequence_create(const ingot_value* const* elements, size_t count, ingot_value** value) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(value, "value"));
    if (count > 0) INGOT_TRY(check_pointer(elements, "elements"));
    if (count > static_cast<size_t>(limits::kSequenceElementsMax))
      return invalid("[capi] argument 'count': {} is over the limit of {}", count, limits::kSequenceElementsMax);
    Tensor sequence = Tensor::allocate(DType::kSequence, {static_cast<int64_t>(count)});
    for (size_t i = 0; i < count; ++i) {
      const auto element = INGOT_TRY(object_of(elements[i], "elements"));
      if (depth_of(element->tensor) >= limits::kTypeDepthMax)
        return invalid("[capi] argument 'elements': sequences are nested deeper than {}", limits::kTypeDepthMax);
      sequence.mutable_as<Tensor>()[i] = copy_of(element->tensor.view());
    }
    *value = handle_of(std::move(sequence));
    return {};
  });
}

ingot_status* ingot_tensor_get_dtype(const ingot_value* value, ingot_dtype* dtype) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(dtype, "dtype"));
    *dtype = dtype_number(INGOT_TRY(tensor_of(value))->tensor.dtype());
    return {};
  });
}

ingot_status* ingot_tensor_get_shape(const ingot_value* value, const int64_t** dims, size_t* rank) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(tensor_of(value));
    if (dims) *dims = object->tensor.shape().begin();
    if (rank) *rank = static_cast<size_t>(object->tensor.shape().rank());
    return {};
  });
}

ingot_status* ingot_tensor_get_data(const ingot_value* value, void** data, size_t* bytes) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(data, "data"));
    const auto object = INGOT_TRY(tensor_of(value));
    if (object->tensor.dtype() == DType::kString)
      return invalid("[capi] a tensor of strings has no plain memory: use ingot_tensor_get_string()");
    *data = const_cast<void*>(object->tensor.view().data);
    if (bytes) *bytes = object->tensor.view().num_bytes();
    return {};
  });
}

ingot_status* ingot_tensor_get_string(const ingot_value* value, size_t index, const char** text, size_t* length) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(text, "text"));
    const auto object = INGOT_TRY(tensor_of(value));
    if (object->tensor.dtype() != DType::kString)
      return invalid("[capi] the tensor holds {}, not strings", dtype_name(object->tensor.dtype()));
    const auto count = static_cast<size_t>(object->tensor.shape().num_elements());
    if (index >= count) return error(Code::kOutOfRange, "[capi] argument 'index': {} of {} strings", index, count);
    const std::string& s = object->tensor.as<std::string>()[index];
    *text = s.c_str();
    if (length) *length = s.size();
    return {};
  });
}
