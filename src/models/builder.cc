#include "models/builder.h"

#include <cmath>

#include "tensor/block_formats.h"

namespace ingot {
namespace {

Tensor f32_vector(std::span<const float> v) {
  Tensor t = Tensor::allocate(DType::kF32, {static_cast<int64_t>(v.size())});
  std::copy(v.begin(), v.end(), t.mutable_as<float>());
  return t;
}

Tensor i64_vector(std::span<const int64_t> v) {
  Tensor t = Tensor::allocate(DType::kI64, {static_cast<int64_t>(v.size())});
  std::copy(v.begin(), v.end(), t.mutable_as<int64_t>());
  return t;
}

}  // namespace

ModelBuilder::ModelBuilder(std::shared_ptr<const Source> source, ModelConfig c, const BuildOptions& options)
    : config(std::move(c)), source_(std::move(source)), options_(options), weights_(source_, {}) {
  if (options_.context <= 0) options_.context = config.context;
  graph_.name = config.architecture;
  const Dim tokens = Dim::symbol("tokens"), batch = Dim::symbol("batch");
  token_ids_ = graph_.add_input("token_ids", Type::of(DType::kI32, {tokens}));
  positions_ = graph_.add_input("positions", Type::of(DType::kI32, {tokens}));
  query_start_ = graph_.add_input("query_start", Type::of(DType::kI32, {batch + Dim(1)}));
  context_len_ = graph_.add_input("context_len", Type::of(DType::kI32, {batch}));
  block_table_ = graph_.add_input("block_table", Type::of(DType::kI32, {batch, Dim::symbol("blocks")}));
  logit_rows_ = graph_.add_input("logit_rows", Type::of(DType::kI32, {Dim::symbol("rows")}));
  hidden_rows_ = graph_.add_input("hidden_rows", Type::of(DType::kI32, {Dim::symbol("hidden")}));
}

void ModelBuilder::use_names(std::span<const NamePair> names) { weights_ = Weights(source_, names); }

void ModelBuilder::fail(Status status) {
  if (status_) status_ = std::unexpected(std::move(status));
}

ValueId ModelBuilder::keep(Result<ValueId> v) {
  if (v) return *v;
  fail(std::move(v).error());
  return kNoValue;
}

ValueId ModelBuilder::op(Op op, std::vector<ValueId> inputs, Attributes attributes, std::string name) {
  if (!status_) return kNoValue;
  return keep(graph_.add(op, std::move(inputs), std::move(attributes), std::move(name)));
}

ValueId ModelBuilder::embed_tokens(float scale) {
  const SourceTensor* table = weights_.find("token_embd.weight");
  if (table && table->view.shape.rank() == 2) config.vocab = table->view.shape[0];
  // Rows beyond vocab_size are padding. GGUF files may have cut the padding off and kept the number.
  constexpr HyperKey kVocab{"", "vocab_size"};
  const auto claimed = hyperparameters().size_or(kVocab, 0);
  if (!claimed)
    fail(claimed.error());
  else if (config.vocab > 0 && *claimed > config.vocab)
    fail(Status(Code::kInvalidArgument,
                fmt::format("[model] '{}' is {}, but the embeddings have {} rows: convert or download the model again",
                            hyperparameters().name(kVocab), *claimed, config.vocab)));
  if (!status_) return kNoValue;
  const ValueId w = keep(weights_.matrix(graph_, "token_embd.weight", config.vocab, config.width));
  return op(Op::kEmbedding, {token_ids_, w}, {{"scale", scale}}, "token_embd");
}

ValueId ModelBuilder::embed_positions(const std::string& name, int64_t rows) {
  if (!status_) return kNoValue;
  const ValueId w = keep(weights_.matrix(graph_, name + ".weight", rows, config.width));
  return op(Op::kEmbedding, {positions_, w}, {{"scale", 1.0f}}, name);
}

ValueId ModelBuilder::linear(ValueId x, const std::string& name, int64_t n, int64_t k) {
  if (!status_) return kNoValue;
  std::vector<ValueId> inputs = {x, keep(weights_.matrix(graph_, name + ".weight", n, k, transposed))};
  if (has(name + ".bias")) inputs.push_back(keep(weights_.vector(graph_, name + ".bias", n)));
  return op(Op::kLinear, std::move(inputs), {}, name);
}

ValueId ModelBuilder::rms_norm(ValueId x, const std::string& name, int64_t width) {
  if (!status_) return kNoValue;
  const ValueId w = keep(weights_.vector(graph_, name + ".weight", width ? width : config.width, norm_add));
  return op(Op::kRmsNorm, {x, w}, {{"eps", config.norm_eps}}, name);
}

ValueId ModelBuilder::layer_norm(ValueId x, const std::string& name) {
  if (!status_) return kNoValue;
  const ValueId w = keep(weights_.vector(graph_, name + ".weight", config.width));
  const ValueId b = keep(weights_.vector(graph_, name + ".bias", config.width));
  return op(Op::kLayerNormalization, {x, w, b}, {{"axis", int64_t{-1}}, {"epsilon", config.norm_eps}}, name);
}

// A tensor of per-frequency divisors (Llama 3, LongRoPE), or nothing.
std::vector<float> ModelBuilder::file_factors(const std::string& name) {
  const SourceTensor* t = source_->find_tensor(name);
  if (!t) return {};
  if (t->view.num_elements() != config.rope.rotary_dim / 2 || t->view.dtype != DType::kF32) {
    fail(Status(Code::kInvalidArgument, fmt::format("[model] tensor '{}' is {}, not f32[{}]", name,
                                                    Type::of(t->view).to_string(), config.rope.rotary_dim / 2)));
    return {};
  }
  std::vector<float> factors(t->view.as<float>(), t->view.as<float>() + t->view.num_elements());
  for (const float f : factors)
    if (!(f > 0) || !std::isfinite(f))
      fail(Status(Code::kInvalidArgument,
                  fmt::format("[model] tensor '{}' has {}, not a finite number above 0: convert again", name, f)));
  return factors;
}

ValueId ModelBuilder::rope_table(const RopeConfig& rope) {
  if (!status_) return kNoValue;
  const bool extended = static_cast<double>(options_.context) > rope.original_context;
  std::vector<float> factors = file_factors(extended ? "rope_factors_long.weight" : "rope_factors_short.weight");
  if (factors.empty()) factors = file_factors("rope_freqs.weight");
  RopeFrequencies f = rope_frequencies(rope, options_.context, factors);
  const ValueId inv = graph_.add_constant("rope_inv_freq", f32_vector(f.inv_freq));
  return op(Op::kRopeTable, {positions_, inv}, {{"scale", f.scale}}, "rope_table");
}

ValueId ModelBuilder::rope(ValueId x, ValueId table) {
  return op(Op::kRope, {x, table},
            {{"head_dim", config.head_dim}, {"interleaved", static_cast<int64_t>(config.rope.interleaved)}});
}

ValueId ModelBuilder::attention(ValueId q, ValueId k, ValueId v, int64_t layer, const AttentionOptions& o) {
  if (!status_) return kNoValue;
  const int64_t block = dtype_info(options_.kv_dtype).block_elements;
  if (config.head_dim % block) {
    fail(Status(Code::kInvalidArgument,
                fmt::format("[model] --kv-type {} stores blocks of {} elements, this model's heads have {}: use f16",
                            dtype_name(options_.kv_dtype), block, config.head_dim)));
    return kNoValue;
  }
  const Type cache =
      Type::of(options_.kv_dtype, {Dim::symbol("pages"), options_.page_tokens, config.kv_heads, config.head_dim});
  const ValueId k_cache = graph_.add_state(fmt::format("kv.{}.k", layer), cache);
  const ValueId v_cache = graph_.add_state(fmt::format("kv.{}.v", layer), cache);
  return op(Op::kPagedAttention, {q, k, v, k_cache, v_cache, query_start_, context_len_, block_table_},
            {{"heads", config.heads},
             {"kv_heads", config.kv_heads},
             {"head_dim", config.head_dim},
             {"window", o.window},
             {"softcap", o.softcap},
             {"scale", o.scale > 0 ? o.scale : config.attention_scale}},
            fmt::format("blk.{}.attn", layer));
}

ValueId ModelBuilder::self_attention(ValueId x, const std::string& blk, int64_t layer, ValueId table,
                                     const AttentionOptions& o) {
  const int64_t width = config.width, q_width = config.heads * config.head_dim,
                kv_width = config.kv_heads * config.head_dim;
  ValueId q = linear(x, blk + ".attn_q", q_width, width), k = linear(x, blk + ".attn_k", kv_width, width);
  const ValueId v = linear(x, blk + ".attn_v", kv_width, width);
  if (o.head_norms) {
    q = rms_norm(q, blk + ".attn_q_norm", config.head_dim);
    k = rms_norm(k, blk + ".attn_k_norm", config.head_dim);
  }
  const ValueId a = attention(rope(q, table), rope(k, table), v, layer, o);  // [T, H*D]
  return linear(a, blk + ".attn_output", width, q_width);
}

std::array<ValueId, 3> ModelBuilder::split3(ValueId x, int64_t a, int64_t b, int64_t c) {
  std::array<ValueId, 3> none{kNoValue, kNoValue, kNoValue};
  if (!status_) return none;
  const ValueId sizes = graph_.add_constant("split", i64_vector(std::array{a, b, c}));
  auto node = graph_.add_node(Op::kSplit, {x, sizes}, 3, {{"axis", int64_t{-1}}});
  if (!node) {
    fail(std::move(node).error());
    return none;
  }
  const auto& out = graph_.node(*node).outputs;
  return {out[0], out[1], out[2]};
}

ValueId ModelBuilder::activation(ValueId x, std::string_view name) {
  return op(Op::kActivation, {x}, {{"activation", std::string(name)}});
}

ValueId ModelBuilder::gated(ValueId gate, ValueId up, std::string_view name) {
  std::vector<ValueId> inputs = {gate};
  if (up != kNoValue) inputs.push_back(up);
  return op(Op::kGatedActivation, std::move(inputs), {{"activation", std::string(name)}});
}

ValueId ModelBuilder::gated_mlp(ValueId x, const std::string& prefix, std::string_view name) {
  const ValueId gate = linear(x, prefix + ".ffn_gate", config.ffn, config.width);
  const ValueId up = linear(x, prefix + ".ffn_up", config.ffn, config.width);
  return linear(gated(gate, up, name), prefix + ".ffn_down", config.width, config.ffn);
}

ValueId ModelBuilder::expert_mlp(ValueId x, const std::string& prefix, std::string_view name, bool normalize) {
  std::vector<ValueId> inputs = {x, linear(x, prefix + ".ffn_gate_inp", config.experts, config.width)};
  for (const std::string_view part : {"ffn_gate", "ffn_up", "ffn_down"}) {
    if (!status_) return kNoValue;
    const int64_t n = part == "ffn_down" ? config.width : config.expert_ffn;
    const int64_t k = part == "ffn_down" ? config.expert_ffn : config.width;
    const auto weights = weights_.experts(graph_, fmt::format("{}.{}", prefix, part), config.experts, n, k);
    if (!weights) return fail(weights.error()), kNoValue;
    inputs.insert(inputs.end(), weights->begin(), weights->end());
  }
  return op(Op::kMoe, std::move(inputs),
            {{"used", config.experts_used},
             {"normalize", static_cast<int64_t>(normalize)},
             {"activation", std::string(name)}},
            prefix + ".moe");
}

ValueId ModelBuilder::add(ValueId a, ValueId b) { return op(Op::kAdd, {a, b}); }

Result<LanguageModel> ModelBuilder::finish(ValueId x) {
  const ValueId rows = op(Op::kGather, {x, logit_rows_}, {{"axis", int64_t{0}}}, "logit_rows");
  const ValueId hidden = op(Op::kGather, {x, hidden_rows_}, {{"axis", int64_t{0}}}, "hidden_rows");
  transposed = false;
  ValueId logits = kNoValue;
  if (has("output.weight") || !config.tied_embeddings)
    logits = linear(rows, "output", config.vocab, config.width);
  else if (status_)
    logits = op(Op::kLinear, {rows, keep(weights_.matrix(graph_, "token_embd.weight", config.vocab, config.width))}, {},
                "output");
  if (config.logit_softcap > 0) logits = op(Op::kSoftcap, {logits}, {{"cap", config.logit_softcap}});
  INGOT_TRY(std::move(status_));
  graph_.add_output(logits);
  graph_.add_output(hidden);
  return LanguageModel{std::move(graph_), config};
}

}  // namespace ingot
