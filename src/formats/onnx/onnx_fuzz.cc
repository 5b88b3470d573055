// libFuzzer: any bytes as an ONNX model. What imports must also verify.
#include "formats/onnx/onnx_import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  if (auto graph = ingot::import_onnx_bytes(bytes)) (void)ingot::verify(*graph);
  (void)ingot::parse_onnx_tensor(bytes);
  using ingot::Type;
  const Type floats{ingot::DType::kF32, std::nullopt}, strings{ingot::DType::kString, std::nullopt};
  (void)ingot::parse_onnx_value(bytes, Type::optional(Type::sequence(floats)));
  (void)ingot::parse_onnx_value(bytes, Type::sequence(Type::container(ingot::DType::kMap, {strings, floats})));
  return 0;
}
