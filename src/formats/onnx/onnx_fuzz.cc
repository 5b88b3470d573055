// libFuzzer: any bytes as an ONNX model. What imports must also verify.
#include "formats/onnx/onnx_import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  if (auto graph = ingot::import_onnx_bytes(bytes)) (void)ingot::verify(*graph);
  (void)ingot::parse_onnx_tensor(bytes);
  return 0;
}
