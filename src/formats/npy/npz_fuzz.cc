// libFuzzer: any bytes as an .npz file.
#include "formats/npy/npz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)ingot::parse_npz(std::as_bytes(std::span(data, size)));
  return 0;
}
