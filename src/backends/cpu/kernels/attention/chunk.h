// What the driver (attention.cc) and the kernels per ISA agree on. Internal to this folder.
//
// Everything is static or plain data on purpose: files of different ISAs include this header, and an inline
// function emitted by one of them must not be linked into another.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/cpu/kernels/attention/attention.h"

namespace ingot::attention {

static constexpr int64_t kRowsMax = 96;        // rows of one tile: a multiple of every ISA's register tile
static constexpr int64_t kDirectRowsMax = 16;  // up to here keys are not transposed
static constexpr int64_t kSplitRowsMax = 32;   // tiles of at most so many rows may be shared by threads
static constexpr int64_t kLanesMax = 16;
static constexpr int64_t kTileRowsMax = 12;

static constexpr int64_t padded_dim(int64_t d) { return (d + 15) / 16 * 16; }

// Running softmax state of rows: log2-domain maximum, sum, weighted values [dp].
struct State {
  float *max, *sum, *values;
};

// A thread's working memory. dp = padded_dim(head_dim).
struct Work {
  float* q;          // [kRowsMax][dp], times scale and log2(e)
  float* q_leaf;     // the same with each row in leaf order (tiled.inc)
  float* scores;     // [kDirectRowsMax][kChunkKeys]
  float* block;      // [kLanesMax][dp] keys or values of a block as floats
  float* sums;       // [kDirectRowsMax][dp] one chunk's weighted values
  float* keys;       // [kChunkKeys * dp] transposed, null if no tile has more than kDirectRowsMax rows
  float* values;     // [kChunkKeys * (dp + kLanesMax)]
  float* stack;      // [4][kTileRowsMax][2][kLanesMax]
  std::byte* zeros;  // a row of zero bytes: in every type a row of zeros
  State state;       // of kRowsMax rows
};

// The rows of a tile against the keys of one chunk: [chunk * kChunkKeys, + kChunkKeys).
struct ChunkJob {
  const Work* work;
  int64_t rows, d, dp;
  int64_t chunk;
  // Row r sits at first_position + (first_row + r) / group.
  int64_t first_position, first_row, group;
  int64_t window;
  float softcap;  // in the log2 domain; 0 = none
  DType kv_dtype;
  const std::byte *k_cache, *v_cache;  // at this kv head's row of page 0
  size_t row_stride;                   // bytes from one token to the next
  size_t row_bytes;
  const int32_t* pages;
  int64_t page_tokens;
  State state;  // updated
};

// Keys that row r of a job sees, relative to the chunk, in [0, kChunkKeys]; begin >= end if none.
struct Seen {
  int64_t begin, end;
};
static inline Seen seen_by(const ChunkJob& j, int64_t r) {
  const int64_t position = j.first_position + (j.first_row + r) / j.group, start = j.chunk * kChunkKeys;
  const int64_t first = j.window > 0 && position >= j.window ? position - j.window + 1 : 0;
  const int64_t begin = first - start, end = position + 1 - start;
  return {begin < 0 ? 0 : begin, end > kChunkKeys ? kChunkKeys : end};
}

struct Kernels {
  // Scales rows of q into work.q and work.q_leaf. Row r is at q + offsets of (first_row + r).
  void (*pack_queries)(const Work& work, const float* q, int64_t row, int64_t d, float scale);
  void (*process_chunk)(const ChunkJob& job);
  // Merges a chunk's state into the total: rows of dp values.
  void (*merge)(const State& total, const State& part, int64_t rows, int64_t dp);
  // out = values / sum of row r.
  void (*finish)(const State& state, int64_t r, int64_t d, int64_t dp, float* out);
  // One head's row into the cache's type; quantized rows with an infinity or NaN become zeros.
  void (*encode)(DType type, const float* x, std::byte* out, int64_t d);
};

#define FLOAT_ISA(level, suffix) Kernels kernels_##suffix();
#include "backends/cpu/kernels/simd/float_isas.def"
#undef FLOAT_ISA
Kernels kernels_baseline();

}  // namespace ingot::attention
