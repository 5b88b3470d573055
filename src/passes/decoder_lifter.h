// The working state of lift_paged_attention(): a new graph that grows node by node from the needed ones of the old.
//
// lift_paged_attention.cc finds what is needed and makes the head; lift_nodes.cc has one function for each kind of node
// that changes. `mapped` values are those of the new graph. Ownership: borrows the old graph. Thread-safety: none.
#pragma once

#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "passes/lift_paged_attention.h"

namespace ingot {

class DecoderLifter {
 public:
  DecoderLifter(const Graph& in, const LiftOptions& options);
  Result<LiftedDecoder> run();

 private:
  // lift_paged_attention.cc
  Result<ValueId> find(const std::string& name, bool input, std::string_view what) const;
  Result<void> find_values();
  Result<void> find_head();
  Result<void> find_needed();
  Result<void> need(const Node& reader, ValueId v);
  Result<void> emit_body();
  Result<void> check_body();
  Result<void> emit_head();

  // lift_nodes.cc
  Result<void> emit(const Node& n);
  Result<void> emit_copy(const Node& n);
  Result<void> emit_cast(const Node& n);
  Result<void> emit_linear(const Node& n, ValueId x, ValueId weight, ValueId bias);
  Result<void> emit_embedding(const Node& n, ValueId table, ValueId ids, float scale);
  Result<void> emit_rms_norm(const Node& n, ValueId weight);
  // act(value), as ingot.gated_activation names it.
  struct Gate {
    std::string_view activation;
    ValueId value;
  };
  std::optional<Gate> gate_of(ValueId v) const;
  Result<void> emit_product(const Node& n);
  Result<void> emit_rotary(const Node& n);
  Result<void> emit_attention(const Node& n);

  // What an attention node of either kind says.
  struct AttentionForm {
    LiftedDecoder::Heads heads;
    size_t past_key, past_value;  // operands
    ValueId table = kNoValue, sinks = kNoValue;
    int64_t window = 0;
    bool interleaved = false;
  };
  Result<AttentionForm> read_group_query(const Node& n);
  Result<AttentionForm> read_attention(const Node& n) const;
  Result<size_t> layer_of(const Node& n, const AttentionForm& form);
  Result<ValueId> paged(const Node& n, const AttentionForm& form, size_t layer);
  // The tables of a rotation, joined as ingot.rope takes them, at this step's positions: f32[T,R].
  Result<ValueId> rope_table(const Node& n, ValueId cos, ValueId sin);
  Result<void> check_positions(const Node& n, ValueId positions) const;

  // A constant, also one that is chosen by how long the sequence is; null if it is neither.
  const Tensor* constant_table(ValueId v) const;
  const Tensor* chosen_table(const Node& branch, size_t output) const;
  // Of a constant matrix or a transposed one, [N,K] as ingot.linear takes it; kNoValue if it is neither.
  ValueId matrix(ValueId v, bool transposed);
  // The new graph's token_ids or positions, if v is one of them under another type.
  ValueId ids_of(ValueId v) const;
  ValueId keep_constant(ValueId v);
  ValueId float_constant(ValueId v);
  ValueId int_list(std::vector<int64_t> values);
  Result<ValueId> mapped(ValueId v);
  Result<ValueId> as_rows(ValueId v, int64_t width);  // [1,T,W] -> [T,W]
  Result<ValueId> as_batch(ValueId v);                // [T,W] -> [1,T,W]
  Result<ValueId> by_tokens(const Node& n, size_t operand, int64_t heads);
  Result<int64_t> width_of(const Node& n, size_t operand) const;
  void set(ValueId old, ValueId v) { map_[static_cast<size_t>(old)] = v; }

  const Node* producer(ValueId v) const {
    return v == kNoValue || in_.value(v).producer == kNoNode ? nullptr : &in_.node(in_.value(v).producer);
  }
  static ValueId operand(const Node& n, size_t i) { return i < n.inputs.size() ? n.inputs[i] : kNoValue; }
  template <class... Args>
  std::unexpected<Status> fail(const Node& n, fmt::format_string<Args...> format, Args&&... args) const {
    return unimplemented("[lift] node '{}' ({}): {}", n.name, op_name(n.op),
                         fmt::format(format, std::forward<Args>(args)...));
  }

  const Graph& in_;
  const LiftOptions& options_;
  LiftedDecoder result_;
  Graph& out_ = result_.graph;
  std::vector<ValueId> map_;  // old -> new
  std::vector<char> needed_;  // by old value
  ValueId old_token_ids_ = kNoValue, old_positions_ = kNoValue, old_logits_ = kNoValue, head_input_ = kNoValue;
  std::vector<const Node*> head_;  // from the product with the vocabulary's matrix to the logits
  std::vector<std::pair<ValueId, ValueId>> pasts_, presents_;  // by layer: key, value
  std::vector<char> layer_seen_;
  ValueId token_ids_, positions_, query_start_, context_len_, block_table_, logit_rows_, hidden_rows_;
  std::map<std::pair<ValueId, bool>, ValueId> matrices_;  // old constant, transposed -> new
  std::map<std::pair<const Tensor*, const Tensor*>, ValueId> rope_tables_;
  std::map<std::vector<int64_t>, ValueId> int_lists_;
};

}  // namespace ingot
