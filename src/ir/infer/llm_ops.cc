// Inference of the ingot.* ops that language models are built of. Operands are ranked. Their kernels trust what is
// checked here: a graph may come from an engine file.
#include "ir/infer.h"

namespace ingot {
namespace {

// Operand i has these type and dimensions; an absent one passes.
Result<void> require_type(InferContext& c, int i, DType dtype, Dims dims) {
  if (!c.has_input(i)) return {};
  const Type wanted = Type::of(dtype, std::move(dims));
  if (c.type(i) == wanted) return {};
  return c.fail("operand {} is {}, not {}", i, c.type(i).to_string(), wanted.to_string());
}

Result<void> require_rank(InferContext& c, int i, DType dtype, int rank) {
  if (c.ranked(i) && c.rank(i) == rank && c.type(i).dtype == dtype) return {};
  return c.fail("operand {} is {}, not {} of rank {}", i, c.type(i).to_string(), dtype_name(dtype), rank);
}

// Operand i is f32 with at least one dimension.
Result<void> require_rows(InferContext& c, int i) {
  if (c.ranked(i) && c.rank(i) >= 1 && c.type(i).dtype == DType::kF32) return {};
  return c.fail("operand {} is {}, not f32 rows", i, c.type(i).to_string());
}

// d is a number and a multiple of `part`.
bool is_multiple(const Dim& d, int64_t part) { return part > 0 && d.is_const() && d.value() % part == 0; }

Result<void> require_activation(InferContext& c) {
  const std::string name = c.attributes().get_string("activation");
  if (name == "silu" || name == "gelu" || name == "gelu_tanh" || name == "relu") return {};
  return c.fail("activation '{}' is not silu, gelu, gelu_tanh or relu", name);
}

}  // namespace

Result<void> infer_embedding(InferContext& c) {
  INGOT_TRY(require_dtype(c, 0, DType::kI32));
  if (!c.ranked(0) || !c.ranked(1) || c.rank(1) != 2) return c.fail("needs ids and a table [V,E]");
  Dims out = c.dims(0);
  out.push_back(c.dims(1)[1]);
  c.set(0, DType::kF32, std::move(out));
  return {};
}

Result<void> infer_linear(InferContext& c) {
  if (!c.ranked(1) || c.rank(1) != 2) return c.fail("the weight is {}, not [N,K]", c.type(1).to_string());
  INGOT_TRY(require_dtype(c, 0, DType::kF32));
  if (!c.ranked(0)) return c.set_unranked(0, DType::kF32), Result<void>{};
  if (c.rank(0) < 1) return c.fail("the input is a scalar");
  const Dim k = c.dims(0).back();
  if (k.is_const() && !(k == c.dims(1)[1]))
    return c.fail("input {} and weight {} have different K", c.type(0).to_string(), c.type(1).to_string());
  INGOT_TRY(require_type(c, 2, DType::kF32, {c.dims(1)[0]}));
  Dims out = c.dims(0);
  out.back() = c.dims(1)[0];
  c.set(0, DType::kF32, std::move(out));
  return {};
}

Result<void> infer_rms_norm(InferContext& c) {
  INGOT_TRY(require_rows(c, 0));
  INGOT_TRY(require_rank(c, 1, DType::kF32, 1));
  const Dim& width = c.dims(1)[0];
  if (!width.is_const() || !is_multiple(c.dims(0).back(), width.value()))
    return c.fail("rows of {} are not of whole groups of {}", c.type(0).to_string(), c.type(1).to_string());
  return infer_same(c);
}

// Operand i is the stack of all experts' matrices [n,k], or, from i on, each expert's own.
static Result<void> require_experts(InferContext& c, int i, int64_t experts, bool stacked, const Dim& n, const Dim& k) {
  Dims wanted{n, k};
  if (stacked) wanted.insert(wanted.begin(), Dim(experts));
  for (int e = 0; e < (stacked ? 1 : experts); ++e)
    if (!c.ranked(i + e) || c.dims(i + e) != wanted)
      return c.fail("expert weights are {}, not {}", c.type(i + e).to_string(),
                    Type::of(c.type(i + e).dtype, wanted).to_string());
  return {};
}

Result<void> infer_moe(InferContext& c) {
  if (!c.ranked(0) || !c.ranked(1) || c.rank(0) != 2 || c.rank(1) != 2 || !c.dims(1)[1].is_const())
    return c.fail("needs x [T,D] and logits [T,E]");
  const int64_t experts = c.dims(1)[1].value(), used = c.attributes().get_int("used");
  if (experts < 1 || used < 1 || used > experts) return c.fail("uses {} of {} experts", used, experts);
  const bool stacked = c.ranked(2) && c.rank(2) == 3;
  const int64_t each = stacked ? 1 : experts;
  if (c.num_inputs() != 2 + 3 * each)
    return c.fail("has {} weights for {} experts, not {}", c.num_inputs() - 2, experts, 3 * each);
  if (!c.ranked(2) || c.rank(2) < 2) return c.fail("expert weights are {}", c.type(2).to_string());
  const Dim width = c.dims(0)[1], ffn = c.dims(2)[stacked ? 1 : 0];
  const int up = 2 + static_cast<int>(each), down = up + static_cast<int>(each);
  INGOT_TRY(require_experts(c, 2, experts, stacked, ffn, width));
  INGOT_TRY(require_experts(c, up, experts, stacked, ffn, width));
  INGOT_TRY(require_experts(c, down, experts, stacked, width, ffn));
  c.set(0, DType::kF32, c.dims(0));
  return {};
}

Result<void> infer_rope_table(InferContext& c) {
  INGOT_TRY(require_rank(c, 0, DType::kI32, 1));
  INGOT_TRY(require_rank(c, 1, DType::kF32, 1));
  c.set(0, DType::kF32, {c.dims(0)[0], c.dims(1)[0] * Dim(2)});
  return {};
}

Result<void> infer_rope(InferContext& c) {
  INGOT_TRY(require_rank(c, 0, DType::kF32, 2));
  INGOT_TRY(require_rank(c, 1, DType::kF32, 2));
  const int64_t head_dim = c.attributes().get_int("head_dim");
  if (!is_multiple(c.dims(0)[1], head_dim))
    return c.fail("{} is not of whole heads of {}", c.type(0).to_string(), head_dim);
  const Dim &tokens = c.dims(0)[0], &rotated = c.dims(1)[1];
  if (!(c.dims(1)[0] == tokens) || !is_multiple(rotated, 2) || rotated.value() > head_dim)
    return c.fail("the table {} does not fit {} of heads of {}", c.type(1).to_string(), c.type(0).to_string(),
                  head_dim);
  return infer_same(c);
}

Result<void> infer_activation(InferContext& c) {
  INGOT_TRY(require_dtype(c, 0, DType::kF32));
  INGOT_TRY(require_activation(c));
  return infer_same(c);
}

Result<void> infer_softcap(InferContext& c) {
  INGOT_TRY(require_dtype(c, 0, DType::kF32));
  return infer_same(c);
}

Result<void> infer_gated_activation(InferContext& c) {
  INGOT_TRY(require_activation(c));
  INGOT_TRY(require_rows(c, 0));
  Type out = c.type(0);
  if (c.has_input(1)) {
    INGOT_TRY(require_type(c, 1, DType::kF32, c.dims(0)));
  } else {
    const Dim f2 = out.dims->back();
    if (f2.is_const() && f2.value() % 2) return c.fail("{} has an odd inner dimension", out.to_string());
    out.dims->back() = floor_div(f2, 2);
  }
  c.set(0, std::move(out));
  return {};
}

Result<void> infer_paged_attention(InferContext& c) {
  const Attributes& a = c.attributes();
  const int64_t heads = a.get_int("heads"), kv_heads = a.get_int("kv_heads"), head_dim = a.get_int("head_dim");
  for (int i : {0, 1, 2}) INGOT_TRY(require_rank(c, i, DType::kF32, 2));
  const auto is_width = [&](const Dim& d, int64_t count) {
    return is_multiple(d, count) && d.value() / count == head_dim;
  };
  if (head_dim < 1 || kv_heads < 1 || heads < 1 || heads % kv_heads || !is_width(c.dims(0)[1], heads) ||
      !is_width(c.dims(1)[1], kv_heads))
    return c.fail("{} heads and {} of keys, each of {}, do not fit {} and {}", heads, kv_heads, head_dim,
                  c.type(0).to_string(), c.type(1).to_string());
  if (a.get_int("window") < 0) return c.fail("window {} is negative", a.get_int("window"));
  const Dim tokens = c.dims(0)[0], kv_width = c.dims(1)[1];
  for (int i : {1, 2}) INGOT_TRY(require_type(c, i, DType::kF32, {tokens, kv_width}));
  const DType cache = c.type(3).dtype;
  if (!c.ranked(3) || c.rank(3) != 4 || !c.dims(3)[1].is_const() || c.dims(3)[1].value() < 1)
    return c.fail("the cache is {}, not [pages,P,G,D]", c.type(3).to_string());
  for (int i : {3, 4}) INGOT_TRY(require_type(c, i, cache, {c.dims(3)[0], c.dims(3)[1], kv_heads, head_dim}));
  INGOT_TRY(require_rank(c, 6, DType::kI32, 1));
  const Dim batch = c.dims(6)[0];
  INGOT_TRY(require_type(c, 5, DType::kI32, {batch + Dim(1)}));
  INGOT_TRY(require_rank(c, 7, DType::kI32, 2));
  INGOT_TRY(require_type(c, 7, DType::kI32, {batch, c.dims(7)[1]}));
  INGOT_TRY(require_type(c, 8, DType::kF32, {heads}));
  return infer_same(c);
}

}  // namespace ingot
