// Importance matrices in both formats.
#include <cstddef>
#include <cstdint>

#include "formats/convert/imatrix.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto matrix = ingot::convert::parse_imatrix(std::as_bytes(std::span(data, size)), "fuzz");
  if (matrix && matrix->weights.empty()) __builtin_trap();
  return 0;
}
