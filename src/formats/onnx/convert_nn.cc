// Conversions of normalization, activation, product and resizing operators.
#include "formats/onnx/convert.h"
#include "formats/onnx/graph_builder.h"

namespace ingot::onnx {

// Before opset 13 the input was flattened to two dimensions at `axis` (default 1): every row is one softmax.
Result<void> convert_softmax(NodeDraft& d) {
  if (d.opset >= 13) return {};
  if (!d.has_input(0)) return d.fail("has no operand");
  const ValueId x = d.node.inputs[0];
  const int64_t axis = d.attributes().get_int("axis", 1);
  const Type type = d.builder.known(x).type;
  if (type.ranked() && (axis == -1 || axis == type.rank() - 1)) {
    d.attributes().set("axis", int64_t{-1});
    return {};
  }
  const ValueId shape = INGOT_TRY(d.add(Op::kShape, {x}));
  const ValueId flat = INGOT_TRY(d.add(Op::kFlatten, {x}, {{"axis", axis}}));
  const ValueId rows = INGOT_TRY(d.add(d.node.op, {flat}, {{"axis", int64_t{-1}}}));
  d.node.op = Op::kReshape;
  d.node.inputs = {rows, shape};
  d.node.attributes = Attributes{{"allowzero", int64_t{1}}};
  return {};
}

// Before opset 7 a slope vector belonged to the channels.
Result<void> convert_prelu(NodeDraft& d) {
  d.take("consumed_inputs");
  if (d.opset >= 7 || !d.has_input(0) || !d.has_input(1)) return {};
  const Type &x = d.builder.known(d.node.inputs[0]).type, &slope = d.builder.known(d.node.inputs[1]).type;
  if (!x.ranked() || !slope.ranked() || slope.rank() != 1 || slope.dims->front().is_const(1)) return {};
  std::vector<int64_t> axes;
  for (int i = 2; i < x.rank(); ++i) axes.push_back(i - 1);
  if (!axes.empty()) d.node.inputs[1] = INGOT_TRY(d.add(Op::kUnsqueeze, {d.node.inputs[1], d.int_list(axes)}));
  return {};
}

// min and max were attributes before opset 11.
Result<void> convert_clip(NodeDraft& d) {
  d.take("consumed_inputs");
  if (!d.has_input(0)) return d.fail("has no operand");
  const auto low = d.take("min"), high = d.take("max");
  if (low) d.set_input(1, d.scalar_like(d.node.inputs[0], std::get<float>(*low)));
  if (high) d.set_input(2, d.scalar_like(d.node.inputs[0], std::get<float>(*high)));
  return {};
}

// Inference only: the mask, if asked for, is all true.
Result<void> convert_dropout(NodeDraft& d) {
  if (!d.has_input(0)) return d.fail("has no operand");
  if (d.has_input(2)) {
    const Tensor* training = d.builder.graph().constant(d.node.inputs[2]);
    if (!training || training->dtype() != DType::kBool || training->shape().num_elements() != 1 ||
        *training->as<uint8_t>())
      return d.unsupported("training mode");
  }
  const ValueId x = d.node.inputs[0];
  d.results = {INGOT_TRY(d.add(Op::kIdentity, {x}))};
  if (d.num_outputs < 2) return {};
  // The mask: true wherever the input is, by comparing its shape's size with itself.
  Tensor yes = Tensor::allocate(DType::kBool, Shape{1});
  *yes.mutable_as<uint8_t>() = 1;
  const ValueId shape = INGOT_TRY(d.add(Op::kShape, {x}));
  ValueId mask = INGOT_TRY(d.add(Op::kConstantOfShape, {shape}, {{"value", yes}}));
  if (d.opset < 10)  // it had the input's element type
    mask = INGOT_TRY(d.add(Op::kCast, {mask}, {{"to", std::string(dtype_name(d.builder.known(x).type.dtype))}}));
  d.results.push_back(mask);
  return {};
}

// Upsample (scales as attribute, then operand) and Resize-10 are nearest or linear by the asymmetric mapping.
Result<void> convert_resize(NodeDraft& d) {
  const bool upsample = d.op_type == "Upsample";
  if (!upsample && d.opset >= 11) return {};
  d.node.op = Op::kResize;
  const auto height = d.take("height_scale"), width = d.take("width_scale");
  if (height && width && !d.has_input(1))  // of opset 1
    d.set_input(1, d.float_list({1, 1, std::get<float>(*height), std::get<float>(*width)}));
  if (const auto scales = d.take("scales")) {
    if (d.has_input(1)) return d.fail("has scales both as attribute and as operand");
    d.set_input(1, d.float_list(std::get<std::vector<float>>(*scales)));
  }
  if (!d.has_input(0) || !d.has_input(1)) return d.fail("needs an input and scales");
  d.node.inputs = {d.node.inputs[0], kNoValue, d.node.inputs[1]};
  d.attributes().set("coordinate_transformation_mode", "asymmetric");
  d.attributes().set("nearest_mode", "floor");
  if (d.attributes().get_string("mode") == "bilinear") d.attributes().set("mode", "linear");
  return {};
}

Result<void> convert_batch_normalization(NodeDraft& d) {
  d.take("consumed_inputs");
  d.take("momentum");
  d.take("is_test");
  const auto training = d.take("training_mode"), spatial = d.take("spatial");
  if (training && std::get<int64_t>(*training)) return d.unsupported("training mode");
  if (spatial && std::get<int64_t>(*spatial) == 0) return convert_batch_normalization_of_elements(d);
  if (d.num_outputs > 1) return d.unsupported("training (it has more than one output)");
  return {};
}

// Before opset 21 scale and bias had one element per group: repeated for the group's channels.
Result<void> convert_group_normalization(NodeDraft& d) {
  d.take("stash_type");
  if (d.opset >= 21 || d.node.inputs.size() < 3) return {};
  const Type x = d.builder.known(d.node.inputs[0]).type;
  const int64_t groups = d.attributes().get_int("num_groups");
  if (!x.ranked() || x.rank() < 2 || !(*x.dims)[1].is_const() || groups < 1 || (*x.dims)[1].value() % groups)
    return d.fail("{} does not divide into {} groups", x.to_string(), groups);
  const int64_t repeat = (*x.dims)[1].value() / groups;
  for (size_t i : {1, 2}) {
    const ValueId column = INGOT_TRY(d.add(Op::kReshape, {d.node.inputs[i], d.int_list({groups, 1})}));
    const ValueId wide = INGOT_TRY(d.add(Op::kExpand, {column, d.int_list({groups, repeat})}));
    d.node.inputs[i] = INGOT_TRY(d.add(Op::kReshape, {wide, d.int_list({groups * repeat})}));
  }
  return {};
}

Result<void> convert_gemm(NodeDraft& d) {
  d.take("broadcast");
  return {};
}

}  // namespace ingot::onnx
