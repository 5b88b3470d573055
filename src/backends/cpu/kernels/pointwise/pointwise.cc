// Chooses the kernels for an instruction set.
#include "backends/cpu/kernels/pointwise/pointwise.h"

namespace ingot {

const PointwiseKernels& pointwise_avx512();
const PointwiseKernels& pointwise_avx2();
const PointwiseKernels& pointwise_baseline();

const PointwiseKernels& pointwise(Isa isa) {
  if (isa >= Isa::kAvx512) return pointwise_avx512();
  return isa >= Isa::kAvx2 ? pointwise_avx2() : pointwise_baseline();
}

}  // namespace ingot
