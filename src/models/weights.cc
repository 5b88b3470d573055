#include "models/weights.h"

#include <algorithm>
#include <cctype>

#include "tensor/block_formats.h"

namespace ingot {
namespace {

constexpr NamePair kCommon[] = {
    {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
    {"blk.%.attn_norm", "model.layers.%.input_layernorm"},
    {"blk.%.attn_q", "model.layers.%.self_attn.q_proj"},
    {"blk.%.attn_k", "model.layers.%.self_attn.k_proj"},
    {"blk.%.attn_v", "model.layers.%.self_attn.v_proj"},
    {"blk.%.attn_qkv", "model.layers.%.self_attn.qkv_proj"},
    {"blk.%.attn_output", "model.layers.%.self_attn.o_proj"},
    {"blk.%.attn_q_norm", "model.layers.%.self_attn.q_norm"},
    {"blk.%.attn_k_norm", "model.layers.%.self_attn.k_norm"},
    {"blk.%.ffn_norm", "model.layers.%.post_attention_layernorm"},
    {"blk.%.ffn_gate", "model.layers.%.mlp.gate_proj"},
    {"blk.%.ffn_up", "model.layers.%.mlp.up_proj"},
    {"blk.%.ffn_down", "model.layers.%.mlp.down_proj"},
};

// Wrappers that put a language model inside a larger one prefix its names.
constexpr std::string_view kPrefixes[] = {"", "language_model.", "transformer."};

// "blk.12.attn_q" -> "blk.%.attn_q", layer "12".
std::string split_layer(std::string_view name, std::string* layer) {
  if (!name.starts_with("blk.")) return std::string(name);
  size_t end = 4;
  while (end < name.size() && std::isdigit(static_cast<unsigned char>(name[end]))) ++end;
  *layer = name.substr(4, end - 4);
  return fmt::format("blk.%{}", name.substr(end));
}

std::string insert_layer(std::string_view pattern, const std::string& layer) {
  std::string out(pattern);
  if (const size_t at = out.find('%'); at != out.npos) out.replace(at, 1, layer);
  return out;
}

void transpose_f32(const float* in, float* out, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) out[c * rows + r] = in[r * columns + c];
}

}  // namespace

std::span<const NamePair> common_names() { return kCommon; }

Weights::Weights(std::shared_ptr<const Source> source, std::span<const NamePair> names)
    : source_(std::move(source)), names_(names) {}

std::vector<std::string> Weights::file_names(std::string_view gguf_name) const {
  if (source_->kind() == SourceKind::kGguf) return {std::string(gguf_name)};
  const size_t dot = gguf_name.rfind('.');
  std::string layer;
  const std::string pattern = split_layer(gguf_name.substr(0, dot), &layer);
  for (std::span<const NamePair> table : {names_, common_names()})
    for (const NamePair& p : table) {
      if (p.gguf != pattern) continue;
      std::vector<std::string> out;
      for (std::string_view prefix : kPrefixes)
        out.push_back(fmt::format("{}{}{}", prefix, insert_layer(p.hf, layer), gguf_name.substr(dot)));
      return out;
    }
  return {};
}

const SourceTensor* Weights::find(std::string_view gguf_name) const {
  for (const std::string& n : file_names(gguf_name))
    if (const SourceTensor* t = source_->find_tensor(n)) return t;
  return nullptr;
}

Result<const SourceTensor*> Weights::require(std::string_view gguf_name) const {
  if (const SourceTensor* t = find(gguf_name)) return t;
  const auto names = file_names(gguf_name);
  return not_found("[model] tensor '{}' is missing from {}: the file is incomplete, convert or download it again",
                   names.empty() ? std::string(gguf_name) : names.front(), source_->paths().front());
}

Result<ValueId> Weights::matrix(Graph& graph, const std::string& name, int64_t n, int64_t k, bool transposed) const {
  if (const ValueId known = graph.find_value(name); known != kNoValue) return known;
  const SourceTensor* t = INGOT_TRY(require(name));
  const Shape wanted = transposed ? Shape{k, n} : Shape{n, k};
  if (!(t->view.shape == wanted))
    return invalid("[model] tensor '{}' has shape {}, the metadata asks for {}: convert or download it again", t->name,
                   t->view.shape.to_string(), wanted.to_string());
  if (!can_decode(t->view.dtype))
    return unimplemented("[model] tensor '{}' has type {}, which is not a weight type", t->name,
                         dtype_name(t->view.dtype));
  if (!transposed) return graph.add_constant(name, Tensor(t->view, source_), true);
  Tensor rows = Tensor::allocate(DType::kF32, {k, n}), out = Tensor::allocate(DType::kF32, {n, k});
  decode_row(t->view.dtype, t->view.data, rows.mutable_as<float>(), n * k);
  transpose_f32(rows.as<float>(), out.mutable_as<float>(), k, n);
  return graph.add_constant(name, std::move(out));
}

Result<ValueId> Weights::vector(Graph& graph, const std::string& name, int64_t n, float add) const {
  if (const ValueId known = graph.find_value(name); known != kNoValue) return known;
  const SourceTensor* t = INGOT_TRY(require(name));
  if (t->view.num_elements() != n || t->view.shape.rank() != 1)
    return invalid("[model] tensor '{}' has shape {}, the metadata asks for [{}]: convert or download it again",
                   t->name, t->view.shape.to_string(), n);
  if (!can_decode(t->view.dtype) || n % dtype_info(t->view.dtype).block_elements)
    return unimplemented("[model] tensor '{}' has type {}, which is not a type for vectors", t->name,
                         dtype_name(t->view.dtype));
  Tensor out = Tensor::allocate(DType::kF32, {n});
  decode_row(t->view.dtype, t->view.data, out.mutable_as<float>(), n);
  for (int64_t i = 0; i < n; ++i) out.mutable_as<float>()[i] += add;
  return graph.add_constant(name, std::move(out));
}

}  // namespace ingot
