// The shared blocks that architectures are made of: a graph over a ragged batch, built call by call.
//
// Inputs of every model (design.md section 2): token_ids i32[tokens], positions i32[tokens], query_start
// i32[batch+1], context_len i32[batch], block_table i32[batch,blocks], logit_rows i32[rows] (the rows of this step
// whose logits are wanted), hidden_rows i32[hidden] (those whose final hidden state is). Outputs: logits f32[rows,V],
// hidden f32[hidden,E]. States: kv.<layer>.k / .v [pages,P,G,D].
// The first error sticks: later calls do nothing and finish() returns it, so model files read like formulas.
// Thread-safety: none.
#pragma once

#include <array>
#include <string>

#include "models/config.h"
#include "models/model.h"
#include "models/rope.h"
#include "models/weights.h"

namespace ingot {

struct AttentionOptions {
  int64_t window = 0;  // tokens, 0 = all
  float softcap = 0;
  float scale = 0;          // 0: the config's
  bool head_norms = false;  // self_attention(): an RMS norm on every head of q and k before the rotation
};

class ModelBuilder {
 public:
  ModelBuilder(std::shared_ptr<const Source> source, ModelConfig config, const BuildOptions& options);
  // Hugging Face names that differ from common_names(); the table must be static.
  void use_names(std::span<const NamePair> names);

  ModelConfig config;       // the architecture's file may adjust it before building
  float norm_add = 0;       // added to norm weights: gemma's Hugging Face files store w - 1
  bool transposed = false;  // matrices are stored [in, out]: gpt-2's Hugging Face files

  // [tokens, E]: rows of the table, times scale.
  ValueId embed_tokens(float scale = 1);
  // [tokens, E]: learned positions of `name` [rows, E].
  ValueId embed_positions(const std::string& name, int64_t rows);
  // x [..., k] by the matrix `name`.weight [n, k], plus `name`.bias where the file has one.
  ValueId linear(ValueId x, const std::string& name, int64_t n, int64_t k);
  // Over the innermost `width` elements (0: the model's width).
  ValueId rms_norm(ValueId x, const std::string& name, int64_t width = 0);
  ValueId layer_norm(ValueId x, const std::string& name);
  // cos/sin of this step's positions; once a model, or once a kind of layer.
  ValueId rope_table(const RopeConfig& rope);
  ValueId rope(ValueId x, ValueId table);
  // Appends k and v [tokens, G*D] to layer `layer`'s cache and attends with q [tokens, H*D].
  ValueId attention(ValueId q, ValueId k, ValueId v, int64_t layer, const AttentionOptions& options);
  // Attention of the normed x with the matrices `blk`.attn_q, attn_k, attn_v and attn_output, rotated by `table`;
  // biases where the file has them.
  ValueId self_attention(ValueId x, const std::string& blk, int64_t layer, ValueId table,
                         const AttentionOptions& options);
  // Splits [tokens, a + b + c] into its three parts.
  std::array<ValueId, 3> split3(ValueId x, int64_t a, int64_t b, int64_t c);
  ValueId activation(ValueId x, std::string_view name);
  // act(gate) * up; up == kNoValue: gate holds both halves.
  ValueId gated(ValueId gate, ValueId up, std::string_view activation_name);
  // down(act(gate(x)) * up(x)) with `prefix`.ffn_gate, ffn_up, ffn_down.
  ValueId gated_mlp(ValueId x, const std::string& prefix, std::string_view activation_name);
  // The config's experts instead: router `prefix`.ffn_gate_inp, then each row through `experts_used` gated MLPs.
  // normalize: the chosen experts' weights sum to 1.
  ValueId expert_mlp(ValueId x, const std::string& prefix, std::string_view activation_name, bool normalize);
  ValueId add(ValueId a, ValueId b);

  bool has(const std::string& name) const { return weights_.find(name) != nullptr; }
  Hyperparameters hyperparameters() const { return {*source_, config.architecture}; }
  int64_t context() const { return options_.context; }  // longest sequence that will be run
  bool from_hugging_face() const { return source_->kind() == SourceKind::kHuggingFace; }

  // Picks the wanted rows, projects them (output.weight, or the embeddings where it is absent), caps them.
  Result<LanguageModel> finish(ValueId x);
  void fail(Status status);

 private:
  ValueId op(Op op, std::vector<ValueId> inputs, Attributes attributes = {}, std::string name = "");
  ValueId keep(Result<ValueId> v);
  std::vector<float> file_factors(const std::string& name);

  std::shared_ptr<const Source> source_;
  BuildOptions options_;
  Weights weights_;
  Graph graph_;
  Result<void> status_;
  ValueId token_ids_, positions_, query_start_, context_len_, block_table_, logit_rows_, hidden_rows_;
};

}  // namespace ingot
