// The activation of a fused op, from its attributes. Thread-safety: pure functions.
#pragma once

#include <optional>

#include "backends/cpu/kernels/simd/activation.h"
#include "ir/attributes.h"

namespace ingot {

// Attributes activation, alpha, beta as ops.def describes them; nullopt for a name that is not known here.
std::optional<ActSpec> fused_activation(const Attributes& a);

}  // namespace ingot
