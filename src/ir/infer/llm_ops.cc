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
