// libFuzzer: any bytes as an .npy file.
#include "formats/npy/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)ingot::parse_npy(std::as_bytes(std::span(data, size)));
  return 0;
}
