// Any bytes as the body of an inference, all JSON, raw, or split at a place that the input names.
#include "server/kserve/compression.h"
#include "server/kserve/infer_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ingot;
  if (size < 2) return 0;
  const size_t split = data[0] | static_cast<size_t>(data[1]) << 8;
  const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::vector<serving::TensorPort> ports = {{.name = "x", .dtype = DType::kF32, .shape = {-1, 4}}};
  for (const std::optional<size_t> json_bytes : {std::optional<size_t>(), std::optional<size_t>(split)}) {
    const auto request = kserve::parse_infer(body, json_bytes, ports);
    if (!request) continue;
    serving::TensorAnswer echo;
    for (const auto& input : request->tensors.inputs) echo.outputs.push_back(input);
    (void)kserve::infer_response(*request, echo, "m", 1);
  }
  (void)kserve::decompress(body, split % 2 ? "gzip" : "deflate", 1 << 20);
  return 0;
}
