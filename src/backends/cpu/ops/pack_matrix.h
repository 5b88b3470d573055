// Packs one constant matrix for kernels/matmul when a plan is made.
// Thread-safety: uses all threads of the pool; the memory is the caller's.
#pragma once

#include "backends/cpu/kernels/matmul/matmul.h"
#include "base/thread_pool.h"
#include "tensor/tensor.h"

namespace ingot {

// In slices, letting go of a file's pages after each, so that loading never holds a large matrix twice.
//   w: [n,k] with its data      dst: weights.bytes bytes, 64-byte aligned
void pack_matrix(const PackedWeights& weights, const TensorView& w, bool file_backed, std::byte* dst, ThreadPool& pool);

}  // namespace ingot
