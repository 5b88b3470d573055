// Writes a GGUF file anew with its matrices in other types: what `ingot quantize` does.
//
// Rows are converted by all threads of a pool, a slab at a time, and written as they come: memory stays at one slab
// (32 MB) and a row a thread, whatever the model's size, and the file's pages are let go behind. The output appears
// under its name when it is complete.
// Thread-safety: one call at a time on a pool.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/thread_pool.h"
#include "formats/convert/imatrix.h"
#include "formats/convert/tensor_types.h"
#include "formats/source.h"

namespace ingot::convert {

struct QuantizeOptions {
  TypeOptions types;
  bool allow_requantize = false;  // from types that are quantized already
  const Imatrix* imatrix = nullptr;
  std::string imatrix_path;    // noted in the file
  ThreadPool* pool = nullptr;  // required
  // Called on the caller's thread after each slab.
  std::function<void(uint64_t bytes_done, uint64_t bytes_total)> progress;
};

struct TensorChange {
  std::string name;
  Shape shape;
  DType from, to;
  uint64_t bytes_from, bytes_to;
};

struct QuantizeReport {
  std::vector<TensorChange> tensors;
  uint64_t bytes_from = 0, bytes_to = 0;  // of the tensors
  int64_t elements = 0;
};

// What would be done, tensor by tensor. Errors: those of choose_types(); kFailedPrecondition for a tensor that is
// quantized already, or that needs an importance matrix; kInvalidArgument where a matrix and its importance differ.
Result<QuantizeReport> plan_quantize(const Source& source, const QuantizeOptions& options);

// Does it. Errors: those of plan_quantize(), GgufWriter and encode_row(), each naming the tensor.
Result<QuantizeReport> quantize(const Source& source, const std::string& path, const QuantizeOptions& options);

}  // namespace ingot::convert
