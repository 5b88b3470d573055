// Conversions of signal and image operators: attributes that became operands, names that changed.
#include "formats/onnx/convert.h"
#include "formats/onnx/graph_builder.h"

namespace ingot::onnx {

// The axis was an attribute, 1 by default, before opset 20.
Result<void> convert_dft(NodeDraft& d) {
  const auto axis = d.take("axis");
  if (d.opset >= 20) return axis ? d.fail("has axis as attribute: an operand since opset 20") : Result<void>{};
  Tensor t = Tensor::allocate(DType::kI64, {});
  *t.mutable_as<int64_t>() = axis ? std::get<int64_t>(*axis) : 1;
  d.set_input(2, d.builder.add_constant(d.node.name + "_axis", std::move(t)));
  return {};
}

// Windows and MelWeightMatrix: the element type is a number in the file and a name in the graph.
Result<void> convert_output_datatype(NodeDraft& d) {
  const auto value = d.take("output_datatype");
  if (!value) return {};
  const int64_t number = std::get<int64_t>(*value);
  const auto dtype = number < 0 || number > INT32_MAX ? std::nullopt : dtype_of(static_cast<int32_t>(number));
  if (!dtype) return d.fail("element type {} is not known", number);
  d.attributes().set("output_dtype", std::string(dtype_name(*dtype)));
  return {};
}

// Interpolations had the names of two dimensions before opset 20.
Result<void> convert_grid_sample(NodeDraft& d) {
  const std::string mode = d.attributes().get_string("mode", "linear");
  if (mode == "bilinear") d.attributes().set("mode", "linear");
  if (mode == "bicubic") d.attributes().set("mode", "cubic");
  return {};
}

// Before opset 16 pixels were not shifted by a half.
Result<void> convert_roi_align(NodeDraft& d) {
  if (d.opset < 16) d.attributes().set("coordinate_transformation_mode", "output_half_pixel");
  return {};
}

// Before opset 7 the results were sequences by request; they always are now.
Result<void> convert_recurrent(NodeDraft& d) {
  d.take("output_sequence");
  return {};
}

}  // namespace ingot::onnx
