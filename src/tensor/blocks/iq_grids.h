// The codebooks of the IQ types, ready for look-up: each entry holds the 4 or 8 values of a group, one a
// byte, element 0 in the lowest. IQ2 and IQ3 hold magnitudes (signs come apart), IQ1 holds -1, 0, 1.
// The tables are facts of the GGUF format; iq_grids.cc holds them packed and expands them when compiled.
#pragma once

#include <array>
#include <cstdint>

namespace ingot::blocks {

extern const std::array<uint64_t, 2048> kIq1Grid;    // IQ1_S, IQ1_M; int8
extern const std::array<uint64_t, 256> kIq2XxsGrid;  // 8, 25 or 43
extern const std::array<uint64_t, 512> kIq2XsGrid;
extern const std::array<uint64_t, 1024> kIq2SGrid;
extern const std::array<uint32_t, 256> kIq3XxsGrid;  // 4, 12 … 52, 62
extern const std::array<uint32_t, 512> kIq3SGrid;    // 1, 3 … 15

}  // namespace ingot::blocks
