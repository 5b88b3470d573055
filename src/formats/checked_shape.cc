#include "formats/checked_shape.h"

#include "base/limits.h"

namespace ingot {

Result<TensorView> checked_view(DType dtype, std::span<const uint64_t> dims) {
  if (dims.size() > static_cast<size_t>(limits::kRankMax))
    return invalid("rank {} is above the limit {}", dims.size(), limits::kRankMax);
  constexpr uint64_t kMax = limits::kTensorElementsMax;
  TensorView view;
  view.dtype = dtype;
  // Zeros are left out of the product, so that no partial product can overflow either.
  uint64_t nonzero = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    const uint64_t d = dims[i];
    if (d > kMax || (d && nonzero > kMax / d))
      return invalid("dimension {} is {}: more than {} elements in all", i, d, kMax);
    if (d) nonzero *= d;
    view.shape.push_back(static_cast<int64_t>(d));
  }
  const DTypeInfo& info = dtype_info(dtype);
  const uint64_t row = dims.empty() ? 1 : dims.back();
  if (is_quantized(dtype) && row % static_cast<uint64_t>(info.block_elements))
    return invalid("rows of {} elements do not divide into {} blocks of {}", row, info.name, info.block_elements);
  return view;
}

}  // namespace ingot
