// ingot.paged_attention on the CPU: appends keys and values to their pages, then attends, for ragged batches.
//
// The rule that tests hold bitwise: for a given ISA, a query row's result depends on its q, its position and the
// keys and values it sees, and on nothing else: not on the other rows, the chunking of the prompt, the batch or
// the threads. So the keys are cut at fixed positions, multiples of kChunkKeys; a row has one (max, sum, weighted
// values) per chunk, whose arithmetic is the same whether one row or ninety are computed, and the chunks are merged in
// order. (Milakov and Gimelshein 2018, "Online normalizer calculation for softmax"; Dao et al. 2022, "FlashAttention")
// Everything is called by all threads of a pool with the same arguments and their own (thread, num_threads), with a
// barrier between the three stages; nothing allocates; the caller owns all memory:
//   append_keys_values -> barrier -> attend -> barrier -> merge_split_rows (if attend may have split a sequence)
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/cpu_features.h"
#include "tensor/dtype.h"

namespace ingot {

inline constexpr int64_t kChunkKeys = 256;
inline constexpr int64_t kHeadDimMax = 1024;

struct AttentionConfig {
  int64_t heads = 1, kv_heads = 1, head_dim = 64;
  int64_t window = 0;  // keys j with position - window < j <= position are seen; 0 = all
  float scale = 1;
  float softcap = 0;  // 0 = none
  DType kv_dtype = DType::kF32;
  Isa isa = Isa::kBaseline;
};

// One call's operands; shapes as in ir/ops.def.
struct AttentionBatch {
  const float *q, *k, *v;
  std::byte *k_cache, *v_cache;
  int64_t page_tokens, table_width;
  int64_t num_seqs;
  const int32_t *query_start, *context_len, *block_table;
  const float* sinks;  // [heads] or null
  float* out;
  std::byte* scratch;                    // attention_scratch_bytes(), 64-byte aligned
  int64_t scratch_tokens, scratch_keys;  // what it was sized for
};

// head_dim a multiple of 8, at most kHeadDimMax, and of the block of a quantized cache; cache f32, f16, bf16, q8_0 or
// q4_0.
bool attention_supports(const AttentionConfig& config);
size_t attention_scratch_bytes(const AttentionConfig& config, int64_t tokens, int64_t keys, int num_threads);

// Each does this thread's share.
void append_keys_values(const AttentionConfig& config, const AttentionBatch& batch, int thread, int num_threads);
void attend(const AttentionConfig& config, const AttentionBatch& batch, int thread, int num_threads);
void merge_split_rows(const AttentionConfig& config, const AttentionBatch& batch, int thread, int num_threads);

}  // namespace ingot
