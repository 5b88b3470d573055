// The instruction sets that float32 kernels are chosen for: AMX and the int8 products add nothing to them.
#pragma once

#include <vector>

#include "base/cpu_features.h"

namespace ingot {

// The best of them that runs where `isa` does.
constexpr Isa float_isa(Isa isa) {
#define FLOAT_ISA(level, suffix) \
  if (isa_includes(isa, Isa::level)) return Isa::level;
#include "backends/cpu/kernels/simd/float_isas.def"
#undef FLOAT_ISA
  return Isa::kBaseline;
}
inline Isa float_isa() { return float_isa(current_isa()); }

// Those of this machine, the lowest first.
inline std::vector<Isa> available_float_isas() {
  std::vector<Isa> out;
  for (Isa isa : available_isas())
    if (float_isa(isa) == isa) out.push_back(isa);
  return out;
}

}  // namespace ingot
