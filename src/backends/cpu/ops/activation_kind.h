// An activation of kernels/rows by the name that graphs have for it. Thread-safety: pure.
#pragma once

#include <optional>
#include <string_view>

#include "backends/cpu/kernels/rows/rows.h"

namespace ingot {

inline std::optional<rows::ActivationKind> activation_kind(std::string_view name) {
  if (name == "silu") return rows::ActivationKind::kSilu;
  if (name == "gelu") return rows::ActivationKind::kGelu;
  if (name == "gelu_tanh") return rows::ActivationKind::kGeluTanh;
  if (name == "relu") return rows::ActivationKind::kRelu;
  return {};
}

}  // namespace ingot
