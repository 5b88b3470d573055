// Turns the dims and dtype that a file claims into a TensorView, without overflow.
// Feeds the GGUF and safetensors parsers. Limits: kRankMax, kTensorElementsMax. Thread-safety: pure.
#pragma once

#include <cstdint>
#include <span>

#include "base/status.h"
#include "tensor/tensor.h"

namespace ingot {

// A view without data, whose num_bytes() is then safe to call; a dimension may be 0.
//   dims: outermost first.
// Errors: kInvalidArgument; the message is a bare reason, the caller adds tag, file and tensor.
Result<TensorView> checked_view(DType dtype, std::span<const uint64_t> dims);

}  // namespace ingot
