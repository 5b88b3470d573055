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
    {"blk.%.ffn_gate_inp", "model.layers.%.mlp.gate"},
    {"blk.%.ffn_gate.#", "model.layers.%.mlp.experts.#.gate_proj"},
    {"blk.%.ffn_up.#", "model.layers.%.mlp.experts.#.up_proj"},
    {"blk.%.ffn_down.#", "model.layers.%.mlp.experts.#.down_proj"},
};

// Wrappers that put a language model inside a larger one prefix its names.
constexpr std::string_view kPrefixes[] = {"", "language_model.", "transformer."};

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// "blk.12.ffn_up.3" -> "blk.%.ffn_up.#", layer "12", expert "3".
struct SplitName {
  std::string pattern, layer, expert;

  explicit SplitName(std::string_view name) : pattern(name) {
    if (!name.starts_with("blk.")) return;
    size_t end = 4, last = name.size();
    while (end < name.size() && is_digit(name[end])) ++end;
    while (last > end && is_digit(name[last - 1])) --last;
    layer = name.substr(4, end - 4);
    if (last < name.size() && name[last - 1] == '.') expert = name.substr(last);
    pattern = fmt::format("blk.%{}{}", name.substr(end, name.size() - expert.size() - end), expert.empty() ? "" : "#");
  }
  std::string in(std::string_view other) const {
    std::string out(other);
    for (const auto& [mark, number] : {std::pair{'%', &layer}, {'#', &expert}})
      if (const size_t at = out.find(mark); at != out.npos) out.replace(at, 1, *number);
    return out;
  }
};

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
  const SplitName split(gguf_name.substr(0, dot));
  for (std::span<const NamePair> table : {names_, common_names()})
    for (const NamePair& p : table) {
      if (p.gguf != split.pattern) continue;
      std::vector<std::string> out;
      for (std::string_view prefix : kPrefixes)
        out.push_back(fmt::format("{}{}{}", prefix, split.in(p.hf), gguf_name.substr(dot)));
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

// A weight of this shape, of any type that can be decoded.
Result<const SourceTensor*> Weights::require(std::string_view gguf_name, const Shape& shape) const {
  const SourceTensor* t = INGOT_TRY(require(gguf_name));
  if (!(t->view.shape == shape))
    return invalid("[model] tensor '{}' has shape {}, the metadata asks for {}: convert or download it again", t->name,
                   t->view.shape.to_string(), shape.to_string());
  if (!can_decode(t->view.dtype))
    return unimplemented("[model] tensor '{}' has type {}, which is not a weight type", t->name,
                         dtype_name(t->view.dtype));
  return t;
}

Result<ValueId> Weights::matrix(Graph& graph, const std::string& name, int64_t n, int64_t k, bool transposed) const {
  if (const ValueId known = graph.find_value(name); known != kNoValue) return known;
  const SourceTensor* t = INGOT_TRY(require(name, transposed ? Shape{k, n} : Shape{n, k}));
  if (!transposed) return graph.add_constant(name, Tensor(t->view, source_), true);
  Tensor rows = Tensor::allocate(DType::kF32, {k, n}), out = Tensor::allocate(DType::kF32, {n, k});
  decode_row(t->view.dtype, t->view.data, rows.mutable_as<float>(), n * k);
  transpose_f32(rows.as<float>(), out.mutable_as<float>(), k, n);
  return graph.add_constant(name, std::move(out));
}

Result<std::vector<ValueId>> Weights::experts(Graph& graph, const std::string& name, int64_t count, int64_t n,
                                              int64_t k) const {
  const std::string stack = name + "_exps.weight";
  const bool apart = source_->kind() == SourceKind::kHuggingFace || find(name + ".0.weight");
  if (!apart || find(stack)) {
    const SourceTensor* t = INGOT_TRY(require(stack, {count, n, k}));
    return std::vector{graph.add_constant(stack, Tensor(t->view, source_), true)};
  }
  std::vector<ValueId> out;
  for (int64_t e = 0; e < count; ++e)
    out.push_back(INGOT_TRY(matrix(graph, fmt::format("{}.{}.weight", name, e), n, k)));
  return out;
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
