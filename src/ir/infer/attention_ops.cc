// Inference of ONNX's attention family: Attention, RotaryEmbedding, TensorScatter, LinearAttention,
// CausalConvWithState.
#include <algorithm>

#include "ir/infer/checks.h"

namespace ingot {
namespace {

// Heads of an operand [B,H,S,D], or [B,S,H*D] where an attribute counts them: [B,H,S,D] either way.
Result<Dims> by_heads(InferContext& c, int i, std::string_view attribute) {
  const int64_t count = c.attributes().get_int(attribute);
  const Dims& d = c.dims(i);
  if (d.size() == 4) {
    if (count && !agree(d[1], count))
      return c.fail("{} = {}, but operand {} is {}", attribute, count, i, c.type(i).to_string());
    return d;
  }
  if (d.size() != 3) return c.fail("operand {} is {}, not of rank 3 or 4", i, c.type(i).to_string());
  if (count < 1 || count > INT32_MAX) return c.fail("{} is {}", attribute, count);
  if (d[2].is_const() && d[2].value() % count)
    return c.fail("operand {} ({}) does not divide into {} heads", i, c.type(i).to_string(), count);
  return Dims{d[0], count, d[1], floor_div(d[2], count)};
}

Result<void> check_attention_attributes(InferContext& c) {
  INGOT_TRY(require_range(c, "qk_matmul_output_mode", 0, 3, 0));
  for (std::string_view name : {"left_window_size", "right_window_size"})
    INGOT_TRY(require_range(c, name, -1, INT64_MAX, -1));
  if (!c.attributes().has("softmax_precision")) return {};
  const auto precision = dtype_from_name(c.attributes().get_string("softmax_precision"));
  if (!precision || !is_float(*precision))
    return c.fail("softmax_precision '{}' is not a float type", c.attributes().get_string("softmax_precision"));
  return {};
}

// The mask broadcasts to [B,H,Q,T], where its last dimension may also be shorter.
Result<void> check_attention_mask(InferContext& c, const Dims& scores) {
  if (!c.has_input(3)) return {};
  if (c.type(3).dtype != DType::kBool) INGOT_TRY(require_float(c, 3));
  if (!c.ranked(3)) return {};
  const Dims& mask = c.dims(3);
  bool fits = mask.size() <= 4 && !mask.empty();
  for (size_t k = 1; fits && k <= mask.size(); ++k) {
    const Dim &d = mask[mask.size() - k], &wanted = scores[4 - k];
    fits =
        k == 1 ? !d.is_const() || !wanted.is_const() || d.value() <= wanted.value() : d.is_const(1) || agree(d, wanted);
  }
  if (fits) return {};
  return c.fail("mask {} does not fit scores {}", c.type(3).to_string(), Type::of(DType::kF32, scores).to_string());
}

}  // namespace

Result<void> infer_attention(InferContext& c) {
  const DType dtype = c.type(0).dtype, value_dtype = c.type(2).dtype;
  for (int i : {0, 2}) INGOT_TRY(require_float(c, i));
  for (int i : {1, 4}) INGOT_TRY(require_dtype(c, i, dtype));
  INGOT_TRY(require_dtype(c, 5, value_dtype));
  INGOT_TRY(require_dtype(c, 6, DType::kI64));
  INGOT_TRY(check_attention_attributes(c));
  if (c.has_input(4) != c.has_input(5)) return c.fail("past_key and past_value go together");
  if (c.has_input(4) && c.has_input(6)) return c.fail("has both a past and nonpad_kv_seqlen");
  if (!all_ranked(c, 0, 3) || !all_ranked(c, 4, 2)) {
    INGOT_TRY(set_all_unranked(c, dtype));
    if (c.num_outputs() > 2) c.set_unranked(2, value_dtype);
    return {};
  }
  if (c.rank(1) != c.rank(0) || c.rank(2) != c.rank(0))
    return c.fail("operands {}, {} and {} are not of one rank", c.type(0).to_string(), c.type(1).to_string(),
                  c.type(2).to_string());
  const Dims q = INGOT_TRY(by_heads(c, 0, "q_num_heads")), k = INGOT_TRY(by_heads(c, 1, "kv_num_heads")),
             v = INGOT_TRY(by_heads(c, 2, "kv_num_heads"));
  if (!agree(q[0], k[0]) || !agree(q[0], v[0]) || !agree(q[3], k[3]) || !agree(k[1], v[1]) || !agree(k[2], v[2]) ||
      (q[1].is_const() && k[1].is_const() && (k[1].value() < 1 || q[1].value() % k[1].value())))
    return c.fail("query {}, key {} and value {} do not fit", c.type(0).to_string(), c.type(1).to_string(),
                  c.type(2).to_string());
  Dim past = 0;
  if (c.has_input(4)) {
    INGOT_TRY(require_rank(c, 4, 4));
    past = c.dims(4)[2];
    INGOT_TRY(require_dims(c, 4, {k[0], k[1], past, k[3]}));
    INGOT_TRY(require_dims(c, 5, {v[0], v[1], past, v[3]}));
  }
  const Dim total = past + k[2];
  INGOT_TRY(check_attention_mask(c, {q[0], q[1], q[2], total}));
  INGOT_TRY(require_dims(c, 6, {q[0]}));
  if (c.rank(0) == 4)
    c.set(0, dtype, {q[0], q[1], q[2], v[3]});
  else
    c.set(0, dtype, {q[0], q[2], q[1] * v[3]});
  if (c.num_outputs() > 1) c.set(1, dtype, {k[0], k[1], total, k[3]});
  if (c.num_outputs() > 2) c.set(2, value_dtype, {v[0], v[1], total, v[3]});
  if (c.num_outputs() > 3) c.set(3, dtype, {q[0], q[1], q[2], total});
  return {};
}

Result<void> infer_rotary_embedding(InferContext& c) {
  INGOT_TRY(require_float(c, 0));
  for (int i : {1, 2}) INGOT_TRY(require_dtype(c, i, c.type(0).dtype));
  INGOT_TRY(require_dtype(c, 3, DType::kI64));
  c.set(0, c.type(0));
  if (!c.ranked(0)) return {};
  const Dims x = INGOT_TRY(by_heads(c, 0, "num_heads"));
  const int64_t given = c.attributes().get_int("rotary_embedding_dim");
  const Dim rotated = given ? Dim(given) : x[3];
  if (rotated.is_const() && (rotated.value() < 0 || rotated.value() % 2))
    return c.fail("{} elements cannot be rotated in pairs", rotated.value());
  if (rotated.is_const() && x[3].is_const() && rotated.value() > x[3].value())
    return c.fail("rotary_embedding_dim {} is over the head size {}", given, x[3].value());
  const Dim half = floor_div(rotated, 2);
  INGOT_TRY(require_dims(c, 3, {x[0], x[2]}));
  for (int i : {1, 2})
    INGOT_TRY(require_dims(c, i,
                           c.has_input(3) ? Dims{c.ranked(1) && c.rank(1) ? c.dims(1)[0] : Dim::unknown(), half}
                                          : Dims{x[0], x[2], half}));
  return {};
}

Result<void> infer_tensor_scatter(InferContext& c) {
  INGOT_TRY(require_dtype(c, 1, c.type(0).dtype));
  INGOT_TRY(require_dtype(c, 2, DType::kI64));
  INGOT_TRY(require_choice(c, "mode", "linear|circular", "linear"));
  c.set(0, c.type(0));
  if (!c.ranked(0)) return {};
  auto axis = normalize_axis(c.attributes().get_int("axis", -2), c.rank(0));
  if (!axis) return c.fail("{}", axis.error().message());
  if (*axis == 0) return c.fail("axis 0 is the batch");
  Dims update = c.dims(0);
  const Dim room = update[static_cast<size_t>(*axis)];
  update[static_cast<size_t>(*axis)] = Dim::unknown();
  INGOT_TRY(require_dims(c, 1, update));
  if (c.ranked(1)) {
    const Dim& length = c.dims(1)[static_cast<size_t>(*axis)];
    if (length.is_const() && room.is_const() && length.value() > room.value())
      return c.fail("update {} does not fit into {}", c.type(1).to_string(), c.type(0).to_string());
  }
  return require_dims(c, 2, {update[0]});
}

// query [B,T,H*K], key [B,T,G*K], value [B,T,G*V], past_state? [B,G,K,V], decay? [B,T,G] or [B,T,G*K],
// beta? [B,T,G] or [B,T,1].
Result<void> infer_linear_attention(InferContext& c) {
  const Attributes& a = c.attributes();
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_float(c, 0));
  INGOT_TRY(require_float(c, 3));
  for (int i : {1, 2, 4, 5}) INGOT_TRY(require_dtype(c, i, dtype));
  INGOT_TRY(require_choice(c, "update_rule", "linear|gated|delta|gated_delta", "gated_delta"));
  for (std::string_view name : {"q_num_heads", "kv_num_heads"}) INGOT_TRY(require_range(c, name, 1, INT32_MAX, 0));
  const int64_t heads = a.get_int("q_num_heads"), groups = a.get_int("kv_num_heads");
  if (heads % groups) return c.fail("q_num_heads {} is not a multiple of kv_num_heads {}", heads, groups);
  const std::string rule = a.get_string("update_rule", "gated_delta");
  if (c.has_input(4) != rule.starts_with("gated")) return c.fail("rule '{}' and decay do not fit", rule);
  if (c.has_input(5) != rule.ends_with("delta")) return c.fail("rule '{}' and beta do not fit", rule);
  const DType state_dtype = c.has_input(3) ? c.type(3).dtype : dtype;
  if (!all_ranked(c, 0, 6)) {
    INGOT_TRY(set_all_unranked(c, dtype));
    if (c.num_outputs() > 1) c.set_unranked(1, state_dtype);
    return {};
  }
  for (int i : {0, 1, 2, 4, 5}) INGOT_TRY(require_rank(c, i, 3));
  const Dims& q = c.dims(0);
  const Dim keys = floor_div(q[2], heads), values = floor_div(c.dims(2)[2], groups);
  INGOT_TRY(require_dims(c, 0, {q[0], q[1], keys * heads}));
  INGOT_TRY(require_dims(c, 1, {q[0], q[1], keys * groups}));
  INGOT_TRY(require_dims(c, 2, {q[0], q[1], values * groups}));
  INGOT_TRY(require_dims(c, 3, {q[0], groups, keys, values}));
  if (c.has_input(4))
    INGOT_TRY(require_dims(c, 4, {q[0], q[1], c.dims(4)[2].is_const(groups) ? Dim(groups) : keys * groups}));
  if (c.has_input(5)) INGOT_TRY(require_dims(c, 5, {q[0], q[1], c.dims(5)[2].is_const(1) ? 1 : groups}));
  c.set(0, dtype, {q[0], q[1], values * heads});
  if (c.num_outputs() > 1) c.set(1, state_dtype, {q[0], groups, keys, values});
  return {};
}

// input [B,C,L], weight [C,1,K], bias? [C], past_state? [B,C,K-1].
Result<void> infer_causal_conv(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_float(c, 0));
  for (int i : {1, 2, 3}) INGOT_TRY(require_dtype(c, i, dtype));
  INGOT_TRY(require_choice(c, "activation", "none|silu|swish", "none"));
  if (!c.ranked(0) || !c.ranked(1)) return set_all_unranked(c, dtype);
  for (int i : {0, 1}) INGOT_TRY(require_rank(c, i, 3));
  const Dims& x = c.dims(0);
  const Dim kernel = c.dims(1)[2];
  if (kernel.is_const() && kernel.value() < 1) return c.fail("the weight is {}", c.type(1).to_string());
  INGOT_TRY(require_dims(c, 1, {x[1], 1, kernel}));
  INGOT_TRY(require_dims(c, 2, {x[1]}));
  INGOT_TRY(require_dims(c, 3, {x[0], x[1], kernel - Dim(1)}));
  c.set(0, dtype, x);
  if (c.num_outputs() > 1) c.set(1, dtype, {x[0], x[1], kernel - Dim(1)});
  return {};
}

}  // namespace ingot
