// Inference of the losses and of ai.onnx.preview.training's optimizers.
#include "ir/infer.h"

namespace ingot {
namespace {

// Scores [N,C,d…] with targets [N,d…]; the loss has the targets' shape, or is a scalar.
Result<void> infer_loss(InferContext& c) {
  INGOT_TRY(require_index(c, 1));
  INGOT_TRY(require_dtype(c, 2, c.type(0).dtype));
  const std::string reduction = c.attributes().get_string("reduction", "mean");
  if (reduction != "none" && reduction != "sum" && reduction != "mean")
    return c.fail("reduction '{}' is not none, sum or mean", reduction);
  if (reduction != "none") {
    c.set(0, c.type(0).dtype, {});
  } else if (c.ranked(1)) {
    c.set(0, c.type(0).dtype, c.dims(1));
  } else {
    c.set_unranked(0, c.type(0).dtype);
  }
  if (!c.ranked(0)) return {};
  if (c.rank(0) < 2) return c.fail("the scores are {}, not [N,C,…]", c.type(0).to_string());
  if (c.has_input(2) && c.ranked(2) && c.rank(2) != 1) return c.fail("the weights are {}", c.type(2).to_string());
  if (!c.ranked(1)) return {};
  Dims wanted = c.dims(0);
  wanted.erase(wanted.begin() + 1);
  if (c.rank(1) + 1 != c.rank(0))
    return c.fail("the targets are {} for scores {}", c.type(1).to_string(), c.type(0).to_string());
  for (size_t i = 0; i < wanted.size(); ++i)
    if (const Dim& d = c.dims(1)[i]; d.is_const() && wanted[i].is_const() && !(d == wanted[i]))
      return c.fail("the targets are {} for scores {}", c.type(1).to_string(), c.type(0).to_string());
  return {};
}

}  // namespace

Result<void> infer_nll_loss(InferContext& c) { return infer_loss(c); }

Result<void> infer_cross_entropy_loss(InferContext& c) {
  INGOT_TRY(infer_loss(c));
  if (c.num_outputs() > 1) c.set(1, c.type(0));
  return {};
}

// (R, T, X…, G…, state…) -> (X…, state…): every tensor of one group has its own shape, that of its X.
Result<void> infer_optimizer(InferContext& c) {
  const int states = c.node().op == Op::kAdam ? 2 : 1;
  const int groups = 2 + states, n = (c.num_inputs() - 2) / groups;
  if (n < 1 || n * groups + 2 != c.num_inputs() || c.num_outputs() != n * (1 + states))
    return c.fail("{} inputs and {} outputs do not make groups", c.num_inputs(), c.num_outputs());
  INGOT_TRY(require_elements(c, 0, 1));
  INGOT_TRY(require_dtype(c, 1, DType::kI64));
  INGOT_TRY(require_elements(c, 1, 1));
  for (int i = 0; i < n; ++i) {
    const Type& x = c.type(2 + i);
    for (int g = 0; g < groups; ++g) {
      const int at = 2 + g * n + i;
      if (!c.has_input(at)) return c.fail("input {} is missing", at);
      const auto a = x.concrete(), b = c.type(at).concrete();
      if (c.type(at).dtype != x.dtype || (a && b && !(*a == *b)))
        return c.fail("input {} is {}, the tensor it belongs to is {}", at, c.type(at).to_string(), x.to_string());
    }
    for (int g = 0; g <= states; ++g) c.set(g * n + i, x);
  }
  return {};
}

Result<void> infer_bit_cast(InferContext& c) {
  const auto to = dtype_from_name(c.attributes().get_string("to"));
  if (!to) return c.fail("to = '{}' is not an element type", c.attributes().get_string("to"));
  const DTypeInfo &a = dtype_info(c.type(0).dtype), &b = dtype_info(*to);
  if (*to == DType::kString || c.type(0).dtype == DType::kString || a.block_bytes != b.block_bytes ||
      a.block_elements != b.block_elements)
    return c.fail("{} and {} differ in size", a.name, b.name);
  c.set(0, Type{*to, c.type(0).dims});
  return {};
}

}  // namespace ingot
