// The classification extension: of an output only its best entries. Thread-safety: pure functions.
#pragma once

#include "serving/tensor_model.h"

namespace ingot::kserve {

// The k best of each row as "value:index" strings, [rows, k] (or [k] of a vector).
// Errors: kInvalidArgument (strings and truth values have no order; too many elements; a single value).
Result<Tensor> classify(const serving::NamedTensor& output, int64_t k);

}  // namespace ingot::kserve
