// Chooses the kernels for an instruction set.
#include "backends/cpu/kernels/pointwise/pointwise.h"

namespace ingot {

#define FLOAT_ISA(level, suffix) const PointwiseKernels& pointwise_##suffix();
#include "backends/cpu/kernels/simd/float_isas.def"
#undef FLOAT_ISA
const PointwiseKernels& pointwise_baseline();

const PointwiseKernels& pointwise(Isa isa) {
#define FLOAT_ISA(level, suffix) \
  if (isa_includes(isa, Isa::level)) return pointwise_##suffix();
#include "backends/cpu/kernels/simd/float_isas.def"
#undef FLOAT_ISA
  return pointwise_baseline();
}

}  // namespace ingot
