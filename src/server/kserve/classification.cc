#include "server/kserve/classification.h"

#include <algorithm>
#include <numeric>

#include "server/kserve/datatype.h"
#include "tensor/half.h"

namespace ingot::kserve {
namespace {

constexpr int64_t kClassifiedElementsMax = 1'000'000;

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

}  // namespace

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

}  // namespace ingot::kserve
