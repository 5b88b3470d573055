// Tensors joined and taken apart along their first dimension, and memory for what is copied whole. Thread-safety: pure
// functions.
#pragma once

#include <memory>
#include <span>

#include "tensor/tensor.h"

namespace ingot::serving {

// As Tensor::allocate, but not zeroed: for those who write every element next. Strings are empty.
Tensor allocate_uncleared(DType dtype, const Shape& shape);

// Equal but for the first dimension.
bool same_rows(const TensorView& a, const TensorView& b);
// [a, …] and [b, …] -> [a + b, …]; at least one part, all of same_rows.
Tensor join_rows(std::span<const TensorView> parts);
// Rows [first, first + count) as a tensor of their own.
Tensor copy_rows(const TensorView& whole, int64_t first, int64_t count);
// A copy if it is small; otherwise the same bytes, which `owner` keeps: large outputs are not copied, and a session's
// memory is not held for small ones.
Tensor keep_or_copy(const TensorView& whole, std::shared_ptr<const void> owner);

}  // namespace ingot::serving
