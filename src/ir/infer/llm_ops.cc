// Inference of the ingot.* ops that language models are built of. Builders give ranked operands.
#include "ir/infer.h"

namespace ingot {

Result<void> infer_embedding(InferContext& c) {
  if (!c.ranked(0) || !c.ranked(1) || c.rank(1) != 2) return c.fail("needs ids and a table [V,E]");
  Dims out = c.dims(0);
  out.push_back(c.dims(1)[1]);
  c.set(0, DType::kF32, std::move(out));
  return {};
}

Result<void> infer_linear(InferContext& c) {
  if (!c.ranked(1) || c.rank(1) != 2) return c.fail("the weight is {}, not [N,K]", c.type(1).to_string());
  if (!c.ranked(0)) return c.set_unranked(0, DType::kF32), Result<void>{};
  if (c.rank(0) < 1) return c.fail("the input is a scalar");
  const Dim k = c.dims(0).back();
  if (k.is_const() && !(k == c.dims(1)[1]))
    return c.fail("input {} and weight {} have different K", c.type(0).to_string(), c.type(1).to_string());
  if (c.has_input(2) && c.ranked(2) && !(c.rank(2) == 1 && c.dims(2)[0] == c.dims(1)[0]))
    return c.fail("bias {} does not match weight {}", c.type(2).to_string(), c.type(1).to_string());
  Dims out = c.dims(0);
  out.back() = c.dims(1)[0];
  c.set(0, DType::kF32, std::move(out));
  return {};
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
  if (!c.ranked(0) || !c.ranked(1) || c.rank(0) != 1 || c.rank(1) != 1)
    return c.fail("needs positions [T] and inv_freq [R/2]");
  c.set(0, DType::kF32, {c.dims(0)[0], c.dims(1)[0] * Dim(2)});
  return {};
}

Result<void> infer_gated_activation(InferContext& c) {
  Type out = c.type(0);
  if (c.num_inputs() == 1 && out.ranked()) {
    const Dim f2 = out.dims->back();
    if (f2.is_const() && f2.value() % 2) return c.fail("{} has an odd inner dimension", out.to_string());
    out.dims->back() = floor_div(f2, 2);
  } else if (c.num_inputs() == 2 && out.ranked() && c.ranked(1) && !(out == c.type(1))) {
    return c.fail("gate {} and up {} differ", out.to_string(), c.type(1).to_string());
  }
  c.set(0, std::move(out));
  return {};
}

}  // namespace ingot
