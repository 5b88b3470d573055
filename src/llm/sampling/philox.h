// The random numbers of sampling: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3", 2011). A draw is a pure function of (seed, stream, step), so a request that is
// preempted and replayed, or moved to another machine, goes on with the same tokens.
// Thread-safety: pure functions.
#pragma once

#include <array>
#include <cstdint>

namespace ingot::llm {

using PhiloxBlock = std::array<uint32_t, 4>;

constexpr PhiloxBlock philox4x32(PhiloxBlock counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

enum class Stream : uint32_t { kDraw = 0, kXtc = 1 };

// Uniform in [0, 1): the upper 53 of 64 random bits.
constexpr double uniform(uint64_t seed, Stream stream, uint64_t step) {
  const PhiloxBlock r =
      philox4x32({static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32), static_cast<uint32_t>(stream), 0},
                 {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  const uint64_t bits = uint64_t{r[1]} << 32 | r[0];
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace ingot::llm
