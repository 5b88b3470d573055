// Which instruction set levels this machine runs, and which one the kernels shall use.
// Levels are ordered; each contains the ones before it. Thread-safety: set_isa() before any plan is made.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace ingot {

enum class Isa {
  kBaseline,    // x86-64-v2, or any other machine
  kAvx2,        // AVX2, FMA, F16C
  kAvx512,      // AVX-512 F, BW, DQ, VL, VNNI
  kAvx512Bf16,  // + BF16 dot products
  kAmx,         // + AMX int8 and bf16 tiles
};

std::string_view isa_name(Isa isa);  // "avx512-bf16"
std::optional<Isa> isa_from_name(std::string_view name);

Isa detected_isa();  // the best of this machine
Isa current_isa();   // the detected one, unless set_isa() lowered it
// The levels up to `best` that this machine runs, the lowest first.
std::vector<Isa> available_isas(Isa best);
// False if the machine cannot run it.
bool set_isa(Isa isa);

}  // namespace ingot
