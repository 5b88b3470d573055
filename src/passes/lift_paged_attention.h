// A decoder that takes and gives its KV cache, [B,S] tokens at a time, becomes one over a ragged batch and paged
// states.
//
// Before: inputs token ids [B,S], position ids?, past keys and values of every layer, a mask; outputs logits [B,S,V]
// and the present keys and values. After: the inputs, outputs and states of models/builder.h. Attention nodes
// (GroupQueryAttention, Attention) become ingot.paged_attention, products with constant matrices ingot.linear, and the
// logits are computed for the wanted rows only; f16 and bf16 values are computed in f32, their matrices stay.
// What the rewrite counts on is checked: nothing but attention mixes tokens (token_rows.h), the past is read by
// attention alone. Neighbours: models/onnx/onnx_decoder.cc calls this; it is no part of the pipeline, as it changes
// what the inputs and outputs are. Ownership: shares the constants of the graph. Thread-safety: pure.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace ingot {

struct LiftOptions {
  // The names that the graph gives to its inputs and outputs.
  struct Layer {
    std::string past_key, past_value, present_key, present_value;
  };
  std::string token_ids, position_ids, logits;  // position_ids: empty, or a name that may be absent
  std::vector<Layer> layers;
  DType kv_dtype = DType::kF16;
  int64_t page_tokens = 16;
  int64_t context = 0;  // longest sequence that will be run: where the graph has several rotations, by its length
};

struct LiftedDecoder {
  struct Heads {
    int64_t query = 0, kv = 0, dim = 0;
    bool operator==(const Heads&) const = default;
  };
  Graph graph;
  std::vector<Heads> layers;
  int64_t vocab = 0, width = 0;
  int64_t tokens_max = 0;     // rows of the smallest table of embeddings; 0: none was seen
  int64_t positions_max = 0;  // rows of the smallest table of positions or rotations; 0: no bound
};

// Errors: kInvalidArgument where names and graph contradict each other, kUnimplemented for what does not fit the
// pattern; each names the node and what is expected.
Result<LiftedDecoder> lift_paged_attention(const Graph& decoder, const LiftOptions& options);

}  // namespace ingot
