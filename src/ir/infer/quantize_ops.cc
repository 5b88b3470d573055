// Inference of quantization ops.
#include "ir/infer.h"

namespace ingot {
namespace {

// The element type that attribute output_dtype names, or `otherwise`.
Result<DType> output_dtype(const InferContext& c, DType otherwise) {
  if (!c.attributes().has("output_dtype")) return otherwise;
  const auto dtype = dtype_from_name(c.attributes().get_string("output_dtype"));
  if (!dtype) return c.fail("output_dtype '{}' is not an element type", c.attributes().get_string("output_dtype"));
  return *dtype;
}

}  // namespace

Result<void> infer_quantize(InferContext& c) {
  const DType zero = c.has_input(2) ? c.type(2).dtype : INGOT_TRY(output_dtype(c, DType::kU8));
  c.set(0, Type{zero, c.type(0).dims});
  return {};
}

Result<void> infer_dequantize(InferContext& c) {
  c.set(0, Type{INGOT_TRY(output_dtype(c, c.type(1).dtype)), c.type(0).dims});
  return {};
}

Result<void> infer_dynamic_quantize(InferContext& c) {
  c.set(0, Type{DType::kU8, c.type(0).dims});
  c.set(1, DType::kF32, {});
  c.set(2, DType::kU8, {});
  return {};
}

}  // namespace ingot
