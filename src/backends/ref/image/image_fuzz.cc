#include "backends/ref/image/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)ingot::image::decode({data, size});
  return 0;
}
