// Memory of tensors that this library makes for callers. Thread-safety: pure functions.
#pragma once

#include <memory>

#include "base/memory.h"
#include "tensor/tensor.h"

namespace ingot::capi {

// Not zeroed, aligned to 64 bytes; blocks that were freed are used again. Errors: kResourceExhausted.
Result<std::shared_ptr<void>> allocate_memory(size_t bytes);
Result<Tensor> allocate_tensor(DType dtype, const Shape& shape);

}  // namespace ingot::capi
