// Activation functions by name, for the reference kernels.
#pragma once

#include <string_view>

namespace ingot {

using ActivationFn = float (*)(float);

// silu, gelu (exact), gelu_tanh, relu. Aborts on another name: builders check names.
ActivationFn activation_by_name(std::string_view name);

}  // namespace ingot
