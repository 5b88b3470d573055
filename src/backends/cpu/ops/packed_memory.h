// Memory of the packed weights that a kernel keeps in `prepared`.
#pragma once

#include <memory>

#include "base/status.h"
#include "tensor/tensor.h"

namespace ingot {

// 64-byte aligned, zero. Errors: kResourceExhausted.
inline Result<std::shared_ptr<void>> packed_memory(size_t bytes) {
  auto memory = allocate_packed(bytes);
  if (!memory) return error(Code::kResourceExhausted, "[cpu] no memory for {} bytes of packed weights", bytes);
  return memory;
}

}  // namespace ingot
