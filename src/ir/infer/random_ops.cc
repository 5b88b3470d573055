// Inference of operators that draw random numbers, and of ImageDecoder.
#include "ir/infer.h"

namespace ingot {
namespace {

Result<DType> result_type(InferContext& c, DType otherwise) {
  const auto dtype = dtype_from_name(c.attributes().get_string("dtype", std::string(dtype_name(otherwise))));
  if (!dtype || *dtype == DType::kString || is_quantized(*dtype)) return c.fail("dtype is not a number's");
  return *dtype;
}

}  // namespace

Result<void> infer_random(InferContext& c) {
  const DType dtype = INGOT_TRY(result_type(c, DType::kF32));
  Dims dims;
  if (!c.attributes().has("shape")) return c.fail("has no shape");
  for (int64_t d : c.attributes().ints("shape")) {
    if (d < 0) return c.fail("shape element {} is negative", d);
    dims.push_back(d);
  }
  c.set(0, dtype, std::move(dims));
  return {};
}

Result<void> infer_random_like(InferContext& c) {
  const DType dtype = INGOT_TRY(result_type(c, c.type(0).dtype));
  if (c.node().op == Op::kBernoulli && !is_float(c.type(0).dtype))
    return c.fail("the probabilities are {}", c.type(0).to_string());
  c.set(0, Type{dtype, c.type(0).dims});
  return {};
}

Result<void> infer_multinomial(InferContext& c) {
  const DType dtype = INGOT_TRY(result_type(c, DType::kI32));
  const int64_t samples = c.attributes().get_int("sample_size", 1);
  if (dtype != DType::kI32 && dtype != DType::kI64) return c.fail("dtype is {}, not i32 or i64", dtype_name(dtype));
  if (samples < 0) return c.fail("sample_size is {}", samples);
  if (!is_float(c.type(0).dtype)) return c.fail("the probabilities are {}", c.type(0).to_string());
  if (c.ranked(0) && c.rank(0) != 2) return c.fail("the input is {}, not [N,C]", c.type(0).to_string());
  c.set(0, dtype, {c.ranked(0) ? c.dims(0)[0] : Dim::unknown(), samples});
  return {};
}

Result<void> infer_image_decoder(InferContext& c) {
  INGOT_TRY(require_dtype(c, 0, DType::kU8));
  const std::string format = c.attributes().get_string("pixel_format", "RGB");
  if (format != "RGB" && format != "BGR" && format != "Grayscale")
    return c.fail("pixel_format '{}' is not RGB, BGR or Grayscale", format);
  c.set(0, DType::kU8, {Dim::unknown(), Dim::unknown(), format == "Grayscale" ? 1 : 3});
  return {};
}

}  // namespace ingot
