// The instruction set that float32 kernels are chosen for: nothing above AVX-512 adds to them.
#pragma once

#include "base/cpu_features.h"

namespace ingot {

inline Isa float_isa() { return current_isa() > Isa::kAvx512 ? Isa::kAvx512 : current_isa(); }

}  // namespace ingot
