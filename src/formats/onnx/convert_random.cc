// Conversions of operators that draw random numbers: element types by name, seeds as integers.
#include "formats/onnx/convert.h"

namespace ingot::onnx {

Result<void> convert_random(NodeDraft& d) {
  INGOT_TRY(convert_output_dtype(d));
  const auto seed = d.take("seed");
  if (!seed) return {};
  const float value = std::get<float>(*seed);
  if (!(value > -9e18f && value < 9e18f)) return {};  // NaN: none
  d.attributes().set("seed", static_cast<int64_t>(value));
  return {};
}

}  // namespace ingot::onnx
