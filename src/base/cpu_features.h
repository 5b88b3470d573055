// Which instruction set levels this machine runs, and which one the kernels shall use.
// The levels of one architecture are ordered, each contains the ones before it, and every machine runs the baseline;
// compare them with isa_includes() only. Thread-safety: set_isa() before any plan is made.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace ingot {

enum class Isa {
  kBaseline,  // portable code: x86-64-v2, Armv8.0, or any other machine
  // x86-64
  kAvx2,        // AVX2, FMA, F16C
  kAvx512,      // AVX-512 F, BW, DQ, VL, VNNI
  kAvx512Bf16,  // + BF16 dot products
  kAmx,         // + AMX int8 and bf16 tiles
  // AArch64
  kNeon,         // what every such machine has
  kNeonDotprod,  // + int8 dot products (FEAT_DotProd)
  kNeonI8mm,     // + int8 matrix products (FEAT_I8MM)
};

std::string_view isa_name(Isa isa);  // "avx512-bf16"
std::optional<Isa> isa_from_name(std::string_view name);

// True if what runs `have` runs code made for `needed`: the same architecture, at least that level.
constexpr bool isa_includes(Isa have, Isa needed) {
  return needed == Isa::kBaseline || (needed <= have && (needed >= Isa::kNeon) == (have >= Isa::kNeon));
}

Isa detected_isa();                // the best of this machine
Isa current_isa();                 // the detected one, unless set_isa() lowered it
std::vector<Isa> compiled_isas();  // the levels of the architecture that this program is for, the lowest first
// The levels that this machine runs, the lowest first.
std::vector<Isa> available_isas();
// False if the machine cannot run it.
bool set_isa(Isa isa);

}  // namespace ingot
