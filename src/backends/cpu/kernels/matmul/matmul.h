// y[T,N] = x[T,K] * W[N,K]^T (+ bias[N]) on the CPU, for every GGUF weight type.
//
// Weights are packed once into tiles of 16 output rows: a vector lane is one output, so there are no
// horizontal sums and every output has one fixed order over K. Hence the rule that tests hold bitwise:
// for a given ISA, a row of y depends only on its row of x and on W, not on T, its place in the batch,
// the number of threads or the partition.
// Everything here is called by all threads of a pool with the same arguments and the own (thread,
// num_threads); nothing allocates; the caller owns all memory and puts a barrier between the stages:
//   pack_weights (at load)      quantize_rows -> barrier -> matmul -> barrier -> y is complete
// Arguments are checked when a plan is made; the kernels trust them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/cpu_features.h"
#include "tensor/dtype.h"

namespace ingot {

// What the rows of x become before they are multiplied.
enum class ActFormat : uint8_t {
  kF32,         // as they are; contiguous rows of x may be handed to matmul() without quantize_rows()
  kBf16,        // rounded to bf16 (nearest, ties to even), zeros up to a multiple of 32
  kQ8Block32,   // int8, a scale per 32 elements: amax / 127 rounded to binary16
  kQ8Block256,  // int8, a float32 scale per 256 elements: -(element of largest magnitude) / 127
};

struct PackedWeights {
  DType type = DType::kF32;
  int64_t n = 0;  // outputs
  int64_t k = 0;  // inputs
  ActFormat act = ActFormat::kF32;
  Isa isa = Isa::kBaseline;  // the kernels that will run on it
  size_t bytes = 0;
  const std::byte* data = nullptr;  // 64-byte aligned
};

inline constexpr int64_t kMatmulTile = 16;      // output rows of a tile
inline constexpr size_t kMatmulAlignment = 64;  // of packed weights and quantized rows

// True if matmul() multiplies this type at all; false for integers, strings and the like.
// k must be a multiple of the type's block.
bool matmul_supports(DType type, int64_t k);
// True if it has a kernel of its own on this ISA; the others decode to float32 while multiplying.
bool matmul_is_native(DType type, Isa isa);

// Bytes of the packed form: those of the source, with n rounded up to whole tiles, and at most 7 % more; but 4.6
// bits an element for the IQ types with blocks of 256 and the ternary types, whose kernels share one form.
size_t packed_bytes(DType type, int64_t n, int64_t k, Isa isa);
// Sets out's fields for memory at `data` (packed_bytes() bytes, aligned); packs nothing.
PackedWeights describe_weights(DType type, int64_t n, int64_t k, Isa isa, const std::byte* data);
// Packs this thread's share of tiles into dst, which `out` describes.
//   src: [n, k] row-major as in the file, any alignment      dst: out.bytes bytes, the memory of out.data
void pack_weights(const PackedWeights& out, const void* src, std::byte* dst, int thread, int num_threads);

// Bytes of one row of x in a format; rows of quantize_rows() follow each other at this distance.
size_t quantized_row_bytes(ActFormat format, int64_t k);
// Converts this thread's share of the rows. The bytes do not depend on the ISA or the partition.
//   x: [rows, k], row distance ldx floats          out: [rows] of quantized_row_bytes(), 64-byte aligned
void quantize_rows(ActFormat format, const float* x, int64_t ldx, int64_t rows, int64_t k, void* out, int thread,
                   int num_threads);

// Computes this thread's share of y.
//   xq: what quantize_rows() made for w.act     y: [rows, w.n], row distance ldy floats     bias: [w.n] or null
void matmul(const PackedWeights& w, const void* xq, int64_t rows, float* y, int64_t ldy, const float* bias, int thread,
            int num_threads);

}  // namespace ingot
