// Chooses the row kernels of an instruction set.
#include "backends/cpu/kernels/rows/rows.h"

namespace ingot::rows {

#define ROWS_KERNELS(isa, suffix) Kernels kernels_##suffix();
#include "backends/cpu/kernels/rows/kernels.def"
#undef ROWS_KERNELS

const Kernels& kernels_for(Isa isa) {
#define ROWS_KERNELS(needed, suffix)                   \
  if (isa >= Isa::needed) {                            \
    static const Kernels kernels = kernels_##suffix(); \
    return kernels;                                    \
  }
#include "backends/cpu/kernels/rows/kernels.def"
#undef ROWS_KERNELS
  static const Kernels kernels = kernels_baseline();
  return kernels;
}

}  // namespace ingot::rows
