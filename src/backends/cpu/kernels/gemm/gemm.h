// C[M,N] = act(alpha * A[M,K] B[K,N] + bias + residual) in float32; the base of matrix products and convolutions.
//
// A is broadcast, B is read as vectors: a tile is up to tile_rows rows of A by panel_columns columns of B, kept in
// registers. Every element of C is one chain of fused multiply-adds over k = 0, 1, 2 …: blocks of K continue it
// from memory. So for a given ISA its bits do not depend on M, N, its place, the packing or the number of threads.
// Everything is called by all threads with the same arguments and their own (thread, num_threads); nothing
// allocates, and threads share nothing but the operands, so there are no barriers.
// Arguments are checked when a plan is made; the kernels trust them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/cpu/kernels/simd/activation.h"
#include "base/cpu_features.h"

namespace ingot {

// One tile: C[rows, columns] (+)= A panel * B panel.
struct GemmTile {
  const float* a;  // k steps of `rows` values
  int64_t a_step;
  const float* b;  // k steps of a panel row; its padding may hold anything
  int64_t b_step;
  int64_t b_panel;  // from one panel of B to the next (row)
  int64_t k;
  float* c;
  int64_t ldc;
  int columns;
  bool start;   // from zero; otherwise from what C holds
  bool finish;  // applies what follows
  float alpha;
  float low, high;  // the result is clamped to [low, high]
  float bias;
  const float* row_bias;     // [rows] or null
  const float* column_bias;  // [columns] or null
  const float* residual;     // laid out like C, or null
};

struct GemmKernels {
  int lanes;
  int tile_rows;      // of A in a full tile
  int panel_columns;  // of B in a panel: 2 * lanes
  // rows in [1, tile_rows]
  void (*tile)(int rows, const GemmTile& t);
  // One row by two whole panels: twice the sums that do not wait for one another, each in the order of `tile`.
  void (*row)(const GemmTile& t);
  // out[k][rows] = a[row * row_step + k * k_step]
  void (*pack_a)(const float* a, int64_t row_step, int64_t k_step, int rows, int64_t k, float* out);
  // out[k][panel_columns] = b[k * k_step + column * column_step]; columns beyond `columns` are zero
  void (*pack_b)(const float* b, int64_t k_step, int64_t column_step, int columns, int64_t k, float* out);
  void (*activate)(const ActSpec& act, float* x, int64_t n);
};
const GemmKernels& gemm_kernels(Isa isa);

// Rows of A, packed: panels of at most tile_rows rows, as equal as can be, each [K][rows].
struct PanelSplit {
  int64_t rows, panels, panel_rows;  // the last panel may be smaller
  PanelSplit(int64_t m, int tile_rows);
  int rows_of(int64_t panel) const;
};

// Threads over panels of B (of all batches), and over panels of A where B has too few: thread t does part t % over_b of
// the one and part t / over_b of the other.
struct ThreadSplit {
  int over_b, over_a;
};
ThreadSplit split_threads(int64_t panels_a, int64_t panels_b, int num_threads);

// The left operand: either packed panels of the whole K (pack_gemm_a), or a strided matrix.
struct GemmA {
  const float* packed = nullptr;
  const float* data = nullptr;
  int64_t row_step = 0, k_step = 0;
};

// The right operand: packed panels of the whole K (pack_gemm_b), a strided matrix, or whatever `fill` makes.
struct GemmB {
  const float* packed = nullptr;
  const float* data = nullptr;
  int64_t k_step = 0, column_step = 0;
  // out[k_count][panel_columns]: columns [column, column + columns) of rows [k_begin, k_begin + k_count).
  void (*fill)(const void* source, int64_t batch, int64_t k_begin, int64_t k_count, int64_t column, int columns,
               float* out) = nullptr;
  const void* source = nullptr;
};

struct Gemm {
  int64_t m = 0, n = 0, k = 0;
  GemmA a;
  GemmB b;
  float* c = nullptr;
  int64_t ldc = 0;
  float alpha = 1;
  const float* row_bias = nullptr;     // [m]
  const float* column_bias = nullptr;  // [n]
  const float* residual = nullptr;     // laid out like C
  float scalar_bias = 0;
  ActSpec act;
  // batch: products of the same size; batch i adds what `offsets` gives to the pointers that are set.
  int64_t batch = 1;
  struct Offsets {
    int64_t a_packed = 0, a = 0, b_packed = 0, b = 0, c = 0, row_bias = 0;
  };
  Offsets (*offsets)(const void* owner, int64_t batch) = nullptr;
  const void* owner = nullptr;
};

size_t gemm_packed_a_floats(int64_t m, int64_t k);
size_t gemm_packed_b_floats(int64_t n, int64_t k, Isa isa);
// Packs all of A [m, k] or B [k, n]; this thread's share.
void pack_gemm_a(const GemmA& a, int64_t m, int64_t k, Isa isa, float* out, int thread, int num_threads);
void pack_gemm_b(const GemmB& b, int64_t n, int64_t k, Isa isa, float* out, int thread, int num_threads);

// Bytes of scratch that gemm() needs for all threads; any size of matrix.
size_t gemm_scratch_bytes(int num_threads);
// Computes this thread's share of C.   scratch: gemm_scratch_bytes(num_threads), 64-byte aligned, shared
void gemm(const Gemm& g, Isa isa, std::byte* scratch, int thread, int num_threads);

}  // namespace ingot
