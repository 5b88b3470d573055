// Conversions of normalizations that simpler ops express, and of BatchNormalization and Dropout as training runs them.
#include <numeric>

#include "formats/onnx/convert.h"
#include "formats/onnx/graph_builder.h"

namespace ingot::onnx {
namespace {

constexpr int64_t kYes = 1, kNo = 0;

Result<ValueId> reduce(NodeDraft& d, Op op, ValueId x, const std::vector<int64_t>& axes, int64_t keepdims) {
  return d.add(op, {x, d.int_list(axes)}, {{"keepdims", keepdims}});
}

Result<ValueId> cast_like(NodeDraft& d, ValueId x, ValueId like) {
  const DType to = d.builder.known(like).type.dtype;
  if (d.builder.known(x).type.dtype == to) return x;
  return d.add(Op::kCast, {x}, {{"to", std::string(dtype_name(to))}});
}

Result<Type> ranked_input(NodeDraft& d) {
  if (!d.has_input(0)) return d.fail("has no operand");
  Type type = d.builder.known(d.node.inputs[0]).type;
  if (!type.ranked()) return d.fail("the operand's rank is not known");
  return type;
}

// old * momentum + now * (1 - momentum)
Result<ValueId> running(NodeDraft& d, ValueId old, ValueId now, float momentum) {
  const ValueId kept = INGOT_TRY(d.add(Op::kMul, {old, d.scalar_like(old, momentum)}));
  const ValueId same = INGOT_TRY(cast_like(d, now, old));
  return d.add(Op::kAdd, {kept, INGOT_TRY(d.add(Op::kMul, {same, d.scalar_like(same, 1 - momentum)}))});
}

// (x - mean) / sqrt(variance + epsilon) * scale + bias, all broadcast from the right: spatial = 0 before opset 9.
Result<ValueId> normalize_elements(NodeDraft& d, const std::vector<ValueId>& in, ValueId mean, ValueId variance,
                                   float epsilon) {
  const ValueId centered = INGOT_TRY(d.add(Op::kSub, {in[0], mean}));
  const ValueId wide = INGOT_TRY(d.add(Op::kAdd, {variance, d.scalar_like(variance, epsilon)}));
  const ValueId unit = INGOT_TRY(d.add(Op::kDiv, {centered, INGOT_TRY(d.add(Op::kSqrt, {wide}))}));
  return d.add(Op::kAdd, {INGOT_TRY(d.add(Op::kMul, {unit, in[1]})), in[2]});
}

}  // namespace

// Training statistics are those of the batch; the outputs after y: running mean and variance, and before opset 14 the
// batch's own too.
Result<void> convert_batch_normalization(NodeDraft& d) {
  d.take("consumed_inputs");
  d.take("is_test");
  const auto momentum_given = d.take("momentum"), training = d.take("training_mode"), spatial_given = d.take("spatial");
  const bool train = d.opset >= 14 ? training && std::get<int64_t>(*training) != 0 : d.num_outputs > 1;
  const bool spatial = !spatial_given || std::get<int64_t>(*spatial_given) != 0;
  if (!train && d.num_outputs > 1) return d.fail("has {} outputs without training", d.num_outputs);
  if (!train) return spatial ? Result<void>{} : convert_batch_normalization_of_elements(d);
  for (size_t i = 0; i < 5; ++i)
    if (!d.has_input(i)) return d.fail("operand {} is missing", i);
  const std::vector<ValueId> in = d.node.inputs;
  const float epsilon = d.attributes().get_float("epsilon", 1e-5f);
  const float momentum = momentum_given ? std::get<float>(*momentum_given) : 0.9f;
  const Type type = INGOT_TRY(ranked_input(d));
  std::vector<int64_t> axes{0};
  for (int i = 2; spatial && i < type.rank(); ++i) axes.push_back(i);
  const ValueId mean = INGOT_TRY(reduce(d, Op::kReduceMean, in[0], axes, kNo));
  const ValueId wide_mean = INGOT_TRY(reduce(d, Op::kReduceMean, in[0], axes, kYes));
  const ValueId centered = INGOT_TRY(d.add(Op::kSub, {in[0], wide_mean}));
  const ValueId squares = INGOT_TRY(d.add(Op::kMul, {centered, centered}));
  const ValueId variance = INGOT_TRY(reduce(d, Op::kReduceMean, squares, axes, kNo));
  const ValueId y =
      spatial ? INGOT_TRY(d.add(Op::kBatchNormalization, {in[0], in[1], in[2], mean, variance}, {{"epsilon", epsilon}}))
              : INGOT_TRY(normalize_elements(d, in, mean, variance, epsilon));
  d.results = {y, INGOT_TRY(running(d, in[3], mean, momentum)), INGOT_TRY(running(d, in[4], variance, momentum)), mean,
               variance};
  return {};
}

// Without training the mask, if asked for, is all true. Before opset 12 an attribute held the ratio, and only
// training drew anything.
Result<void> convert_dropout(NodeDraft& d) {
  if (!d.has_input(0)) return d.fail("has no operand");
  d.take("consumed_inputs");
  d.take("is_test");
  d.take("ratio");
  if (d.has_input(2)) {
    const Tensor* training = d.builder.graph().constant(d.node.inputs[2]);
    const bool off = training && training->dtype() == DType::kBool && training->shape().num_elements() == 1 &&
                     *training->as<uint8_t>() == 0;
    if (!off) return {};
  }
  const ValueId x = d.node.inputs[0];
  d.results = {INGOT_TRY(d.add(Op::kIdentity, {x}))};
  if (d.num_outputs < 2) return {};
  Tensor yes = Tensor::allocate(DType::kBool, Shape{1});
  *yes.mutable_as<uint8_t>() = 1;
  const ValueId shape = INGOT_TRY(d.add(Op::kShape, {x}));
  const ValueId mask = INGOT_TRY(d.add(Op::kConstantOfShape, {shape}, {{"value", yes}}));
  // Before opset 10 it had the input's element type.
  d.results.push_back(d.opset < 10 ? INGOT_TRY(cast_like(d, mask, x)) : mask);
  return {};
}

// (x - mean) / (deviation + 1e-9) over the axes, by default all but the channels.
Result<void> convert_mean_variance_normalization(NodeDraft& d) {
  const auto given = d.take("axes");
  const auto axes = given ? std::get<std::vector<int64_t>>(*given) : std::vector<int64_t>{0, 2, 3};
  if (!d.has_input(0)) return d.fail("has no operand");
  const ValueId x = d.node.inputs[0], mean = INGOT_TRY(reduce(d, Op::kReduceMean, x, axes, kYes));
  const ValueId centered = INGOT_TRY(d.add(Op::kSub, {x, mean}));
  const ValueId squares = INGOT_TRY(d.add(Op::kMul, {centered, centered}));
  const ValueId deviation = INGOT_TRY(d.add(Op::kSqrt, {INGOT_TRY(reduce(d, Op::kReduceMean, squares, axes, kYes))}));
  const ValueId wide = INGOT_TRY(d.add(Op::kAdd, {deviation, d.scalar_like(x, 1e-9f)}));
  d.results = {INGOT_TRY(d.add(Op::kDiv, {centered, wide}))};
  return {};
}

// x over its norm along the axis; a norm of zero leaves the zeros.
Result<void> convert_lp_normalization(NodeDraft& d) {
  if (!d.has_input(0)) return d.fail("has no operand");
  const int64_t p = d.attributes().get_int("p", 2), axis = d.attributes().get_int("axis", -1);
  if (p != 1 && p != 2) return d.fail("p is {}, not 1 or 2", p);
  const ValueId x = d.node.inputs[0];
  const ValueId norm = INGOT_TRY(reduce(d, p == 1 ? Op::kReduceL1 : Op::kReduceL2, x, {axis}, kYes));
  const ValueId none = INGOT_TRY(d.add(Op::kEqual, {norm, d.scalar_like(x, 0)}));
  const ValueId divisor = INGOT_TRY(d.add(Op::kWhere, {none, d.scalar_like(x, 1), norm}));
  d.results = {INGOT_TRY(d.add(Op::kDiv, {x, divisor}))};
  return {};
}

// The p-norm of each channel.
Result<void> convert_global_lp_pool(NodeDraft& d) {
  const Type type = INGOT_TRY(ranked_input(d));
  if (type.rank() < 3) return d.fail("{} has no spatial dimension", type.to_string());
  std::vector<int64_t> axes(static_cast<size_t>(type.rank()) - 2);
  std::iota(axes.begin(), axes.end(), 2);
  const int64_t p = d.attributes().get_int("p", 2);
  const ValueId x = d.node.inputs[0];
  if (p < 1 || p > 1024) return d.fail("p is {}", p);
  if (p <= 2) {
    d.results = {INGOT_TRY(reduce(d, p == 1 ? Op::kReduceL1 : Op::kReduceL2, x, axes, kYes))};
    return {};
  }
  const ValueId size = INGOT_TRY(d.add(Op::kAbs, {x}));
  const ValueId power = INGOT_TRY(d.add(Op::kPow, {size, d.scalar_like(x, static_cast<float>(p))}));
  const ValueId sum = INGOT_TRY(reduce(d, Op::kReduceSum, power, axes, kYes));
  d.results = {INGOT_TRY(d.add(Op::kPow, {sum, d.scalar_like(x, 1 / static_cast<float>(p))}))};
  return {};
}

}  // namespace ingot::onnx
