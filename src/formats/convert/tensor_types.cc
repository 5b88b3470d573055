#include "formats/convert/tensor_types.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <numeric>

#include "formats/convert/name_pattern.h"

namespace ingot::convert {
namespace {

constexpr FileType kFileTypes[] = {
#define FILE_TYPE(name, id, type) {name, id, DType::type},
#include "formats/convert/file_types.def"
#undef FILE_TYPE
};

enum class Role { kEmbedding, kQuery, kKey, kValue, kAttentionOutput, kFfnDown, kOutput, kOther };

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

// A fused QKV and MLA's KV projection hold values too and count as them.
Role role_of(std::string_view name) {
  if (name == "output.weight") return Role::kOutput;
  if (name == "token_embd.weight" || name == "per_layer_token_embd.weight") return Role::kEmbedding;
  constexpr std::pair<std::string_view, Role> kParts[] = {
      {"attn_qkv.weight", Role::kValue}, {"attn_kv_b.weight", Role::kValue},
      {"attn_v.weight", Role::kValue},   {"attn_k.weight", Role::kKey},
      {"attn_q.weight", Role::kQuery},   {"attn_output.weight", Role::kAttentionOutput},
      {"ffn_down", Role::kFfnDown}};
  for (const auto& [part, role] : kParts)
    if (contains(name, part)) return role;
  return Role::kOther;
}

// "blk.12.ffn_up.weight" -> 12; -1 for tensors outside the layers.
int64_t layer_of(std::string_view name) {
  if (!name.starts_with("blk.")) return -1;
  int64_t layer = -1;
  std::from_chars(name.data() + 4, name.data() + name.size(), layer);
  return layer;
}

// Norms, biases, routers and other small things stay as they are.
bool may_quantize(const TensorSpec& t, const TypeOptions& o) {
  int dims = t.shape.rank();
  for (int i = 0; i < t.shape.rank() && t.shape[i] == 1; ++i) --dims;
  if (dims < 2 || !t.name.ends_with("weight")) return false;
  if (o.leave_output && t.name == "output.weight") return false;
  if (t.name == "position_embd.weight" || t.name == "token_types.weight") return false;
  constexpr std::string_view kKept[] = {
      "_norm.weight", "ffn_gate_inp.weight", "ffn_gate_tid2eid.weight", "altup", "laurel", "per_layer_model_proj",
      "ssm_conv1d", "shortconv.conv.weight", "indexer.k_proj.weight", "indexer.q_proj.weight",
      // RWKV
      "time_mix_first.weight", "time_mix_w0.weight", "time_mix_w1.weight", "time_mix_w2.weight", "time_mix_v0.weight",
      "time_mix_v1.weight", "time_mix_v2.weight", "time_mix_a0.weight", "time_mix_a1.weight", "time_mix_a2.weight",
      "time_mix_g1.weight", "time_mix_g2.weight", "time_mix_decay_w1.weight", "time_mix_decay_w2.weight",
      "time_mix_lerp_fused.weight",
      // T5, images, sound
      "attn_rel_b.weight", ".position_embd", "sam.pos_embd", "sam.neck.", "sam.net_", ".rel_pos", ".patch_embd",
      ".patch_merger", "a.rvq.codebook", "mm.a.code_embd"};
  return std::ranges::none_of(kKept, [&](std::string_view part) { return contains(t.name, part); });
}

// The mixes: walks the tensors in layer order and counts values and ffn_downs on the way.
class Mix {
 public:
  Mix(const ModelTraits& model, const TypeOptions& options, std::span<const TensorSpec> tensors)
      : model_(model), o_(options), file_(options.file.name), falcon_(model.architecture == "falcon") {
    for (const TensorSpec& t : tensors) {
      num_values_ += role_of(t.name) == Role::kValue;
      tied_ &= role_of(t.name) != Role::kOutput;
    }
  }

  DType type_of(const TensorSpec& t) {
    const Role role = role_of(t.name);
    if (role == Role::kOutput || (tied_ && role == Role::kEmbedding)) return head(t);
    if (file_ == "MXFP4_MOE") return t.shape.rank() > 2 && t.shape.at(-3) > 1 ? DType::kMXFP4 : DType::kQ8_0;
    switch (role) {
      case Role::kEmbedding: return file_.starts_with("TQ") ? DType::kQ4_K : o_.file.type;
      case Role::kValue: return value();
      case Role::kKey: return model_.experts == 8 ? DType::kQ8_0 : o_.file.type;
      case Role::kFfnDown: return ffn_down(t.name);
      case Role::kAttentionOutput: return attention_output();
      default: return o_.file.type;
    }
  }

 private:
  bool is(std::initializer_list<std::string_view> names) const {
    return std::find(names.begin(), names.end(), file_) != names.end();
  }
  // The first and last eighth of the layers and every third between.
  static bool more_bits(int64_t i, int64_t n) { return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2; }

  // What makes the logits.
  DType head(const TensorSpec& t) const {
    if (o_.output) return *o_.output;
    const bool even = t.shape.at(-1) % dtype_info(o_.file.type).block_elements == 0;
    if (file_ == "MXFP4_MOE" || falcon_ || !even || o_.file.type == DType::kQ8_0) return DType::kQ8_0;
    return DType::kQ6_K;
  }

  DType value() {
    const int64_t i = value_++;
    DType type = o_.file.type;
    if (file_ == "Q2_K")
      type = model_.gqa >= 4 ? DType::kQ4_K : DType::kQ3_K;
    else if (file_ == "Q2_K_S" && model_.gqa >= 4)
      type = DType::kQ4_K;
    else if (file_ == "Q3_K_M")
      type = i < 2 ? DType::kQ5_K : DType::kQ4_K;
    else if (file_ == "Q3_K_L" || (file_ == "IQ4_NL" && model_.gqa >= 4) || (file_ == "Q4_K_S" && i < 4))
      type = DType::kQ5_K;
    else if (is({"Q4_K_M", "Q5_K_M"}) && more_bits(i, num_values_))
      type = DType::kQ6_K;
    if (model_.seventy_b && (type == DType::kQ3_K || type == DType::kQ4_K)) type = DType::kQ5_K;
    return model_.experts == 8 ? DType::kQ8_0 : type;
  }

  DType ffn_down(std::string_view name) {
    const int64_t n = model_.layers, i = model_.experts > 1 ? layer_of(name) : ffn_down_;
    ++ffn_down_;
    const bool more = more_bits(i, n), early = i < n / 8;
    if (file_ == "Q2_K") return DType::kQ3_K;
    if (file_ == "Q2_K_S" && early) return DType::kQ4_K;
    if (file_ == "Q3_K_M") return i < n / 16 ? DType::kQ5_K : !falcon_ || more ? DType::kQ4_K : DType::kQ3_K;
    if (file_ == "Q3_K_L") return falcon_ ? DType::kQ4_K : DType::kQ5_K;
    if (file_ == "Q4_K_M" && falcon_) return i < n / 16 ? DType::kQ6_K : more ? DType::kQ5_K : DType::kQ4_K;
    if (is({"Q4_K_M", "Q5_K_M"}) && more) return DType::kQ6_K;
    if (file_ == "IQ4_NL" && early && !o_.has_imatrix) return DType::kQ5_K;
    if (file_ == "Q4_K_S" && !falcon_ && early) return DType::kQ5_K;
    if (file_ == "Q4_0" && o_.has_imatrix && early) return DType::kQ4_1;
    if (file_ == "Q5_0" && o_.has_imatrix && early) return DType::kQ5_1;
    return o_.file.type;
  }

  DType attention_output() const {
    if (falcon_) return file_ == "Q3_K_L" ? DType::kQ4_K : o_.file.type;
    if (model_.experts == 8)
      return is({"Q2_K", "Q3_K_S", "Q3_K_M", "IQ4_NL", "Q4_K_S", "Q4_K_M"}) ? DType::kQ5_K : o_.file.type;
    if (file_ == "Q2_K") return DType::kQ3_K;
    if (file_ == "Q3_K_M") return DType::kQ4_K;
    if (file_ == "Q3_K_L") return DType::kQ5_K;
    return o_.file.type;
  }

  const ModelTraits& model_;
  const TypeOptions& o_;
  const std::string_view file_;
  const bool falcon_;
  bool tied_ = true;  // no output.weight: the embedding makes the logits
  int64_t num_values_ = 0, value_ = 0, ffn_down_ = 0;
};

// A type whose blocks divide the row, near the one wanted.
DType fitting(DType type, int64_t columns) {
  const auto divides = [columns](DType t) { return columns % dtype_info(t).block_elements == 0; };
  if (divides(type)) return type;
  DType smaller = type;
  switch (type) {
    case DType::kQ2_K:
    case DType::kQ3_K:
    case DType::kTQ1_0:
    case DType::kTQ2_0: smaller = DType::kQ4_0; break;
    case DType::kQ4_K: smaller = DType::kQ5_0; break;
    case DType::kQ5_K: smaller = DType::kQ5_1; break;
    case DType::kQ6_K: smaller = DType::kQ8_0; break;
    default: break;
  }
  return divides(smaller) ? smaller : DType::kF16;
}

class Chooser {
 public:
  Chooser(const ModelTraits& model, const TypeOptions& o, std::span<const TensorSpec> tensors,
          std::vector<std::pair<NamePattern, DType>> patterns)
      : o_(o), mix_(model, o, tensors), patterns_(std::move(patterns)) {}

  DType choose(const TensorSpec& t) {
    if (!may_quantize(t, o_)) return t.type;
    const Role role = role_of(t.name);
    const std::optional<DType> named = named_type(t.name);
    // The large per-layer table follows the embedding's option unless it is named itself.
    if (o_.embedding && role == Role::kEmbedding && (t.name == "token_embd.weight" || !named)) return *o_.embedding;
    if (o_.output && role == Role::kOutput) return *o_.output;
    if (!is_quantized(o_.file.type)) return o_.file.type;
    const DType type = named ? *named : o_.pure ? o_.file.type : mix_.type_of(t);
    return fitting(type, t.shape.at(-1));
  }

 private:
  std::optional<DType> named_type(std::string_view name) const {
    for (const auto& [pattern, type] : patterns_)
      if (pattern.found_in(name)) return type;
    return std::nullopt;
  }

  const TypeOptions& o_;
  Mix mix_;
  std::vector<std::pair<NamePattern, DType>> patterns_;
};

}  // namespace

std::vector<FileType> all_file_types() { return {std::begin(kFileTypes), std::end(kFileTypes)}; }

Result<FileType> file_type_from_name(std::string_view name) {
  std::string upper;
  for (char c : name) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (upper == "Q3_K" || upper == "Q4_K" || upper == "Q5_K") upper += "_M";
  if (upper == "MXFP4") upper = "MXFP4_MOE";
  std::vector<std::string_view> names;
  for (const FileType& t : kFileTypes) {
    if (t.name == upper) return t;
    names.push_back(t.name);
  }
  return invalid("[quantize] '{}' is no type that can be written: choose one of {}", name, fmt::join(names, ", "));
}

Result<std::vector<DType>> choose_types(const ModelTraits& model, const TypeOptions& options,
                                        std::span<const TensorSpec> tensors) {
  std::vector<std::pair<NamePattern, DType>> patterns;
  for (const auto& [text, type] : options.tensor_types)
    patterns.emplace_back(INGOT_TRY(NamePattern::compile(text)), type);
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) { return std::pair(layer_of(tensors[i].name), tensors[i].name); });
  Chooser chooser(model, options, tensors, std::move(patterns));
  std::vector<DType> types(tensors.size());
  for (size_t i : order) {
    const TensorSpec& t = tensors[i];
    types[i] = chooser.choose(t);
    const int block = dtype_info(types[i]).block_elements;
    if (types[i] != t.type && t.shape.at(-1) % block != 0)
      return invalid("[quantize] tensor '{}': rows of {} elements are no multiple of the {} of a {} block: choose {}",
                     t.name, t.shape.at(-1), block, dtype_name(types[i]), "another type for it with --tensor-type");
  }
  return types;
}

bool needs_imatrix(std::string_view name, DType type, const FileType& file) {
  const Role role = role_of(name);
  return type == DType::kQ2_K && file.name == "Q2_K_S" && role != Role::kOutput && role != Role::kEmbedding;
}

}  // namespace ingot::convert
