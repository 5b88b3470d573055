// The preamble and directory of engine files, and graph texts with stored constants.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "plan/engine_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ingot;
  (void)check_engine_bytes(std::as_bytes(std::span(data, size)), "fuzz");
  (void)parse_graph(std::string_view(reinterpret_cast<const char*>(data), size),
                    [](const Type& type) -> Result<StoredConstant> {
                      static const int nothing = 0;
                      return StoredConstant{Tensor(TensorView{type.dtype, *type.concrete(), nullptr},
                                                   std::shared_ptr<const void>(&nothing, [](const void*) {}))};
                    });
  return 0;
}
