// Chooses the byte kernels of an instruction set.
#include "backends/cpu/kernels/bytes/bytes.h"

namespace ingot::bytes {

#define FLOAT_ISA(level, suffix) Kernels kernels_##suffix();
#include "backends/cpu/kernels/simd/float_isas.def"
#undef FLOAT_ISA
Kernels kernels_baseline();

const Kernels& kernels_for(Isa isa) {
#define FLOAT_ISA(level, suffix)                       \
  if (isa_includes(isa, Isa::level)) {                 \
    static const Kernels kernels = kernels_##suffix(); \
    return kernels;                                    \
  }
#include "backends/cpu/kernels/simd/float_isas.def"
#undef FLOAT_ISA
  static const Kernels kernels = kernels_baseline();
  return kernels;
}

}  // namespace ingot::bytes
