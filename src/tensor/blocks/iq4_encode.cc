// Encoding of IQ4_NL: a search over the scale of 32 elements.
//
// For a given scale the best code of each element is the nearest codebook value; for given codes the best
// scale is the weighted least-squares one. Candidates place the extreme element at and around either end
// of the codebook; the best few sums decide, then codes and scale are refined in turn.
#include "tensor/blocks/iq4_encode.h"

#include <array>

#include "tensor/blocks/prepare.h"

namespace ingot::blocks {
namespace {

// Twice a value, rounded, plus kOffset -> its nearest code. Borders between codes are multiples of 1/2.
constexpr int kOffset = 260;
constexpr std::array<uint8_t, 2 * kOffset + 1> kNearest = [] {
  std::array<uint8_t, 2 * kOffset + 1> table{};
  for (int i = 0; i < 2 * kOffset + 1; ++i) {
    int code = 0;
    while (code < 15 && i - kOffset > kIq4Values[code] + kIq4Values[code + 1]) ++code;
    table[static_cast<size_t>(i)] = static_cast<uint8_t>(code);
  }
  return table;
}();

struct Sums {
  float xv = 0, vv = 0;  // weighted x * value, value^2

  // The squared error that the best scale takes off.
  float gain() const { return vv > 0 ? xv * xv / vv : 0; }
};

Sums assign_codes(const Prepared<32>& p, float inverse, uint8_t codes[32]) {
  float twice[32];
  for (int i = 0; i < 32; ++i)
    twice[i] = std::min(std::max(2 * p.x[i] * inverse, -254.0f), 254.0f) + static_cast<float>(kOffset) + 0.5f;
  Sums s;
  for (int i = 0; i < 32; ++i) {
    codes[i] = kNearest[static_cast<size_t>(static_cast<int>(twice[i]))];
    const float v = kIq4Values[codes[i]];
    s.xv += p.w[i] * p.x[i] * v;
    s.vv += p.w[i] * v * v;
  }
  return s;
}

float error_of(const Prepared<32>& p, float scale, const uint8_t codes[32]) {
  float error = 0;
  for (int i = 0; i < 32; ++i) {
    const float miss = p.x[i] - scale * static_cast<float>(kIq4Values[codes[i]]);
    error += p.w[i] * miss * miss;
  }
  return error;
}

}  // namespace

void encode_iq4_nl(const float* x, const float* importance, BlockIQ4_NL& b) {
  constexpr int kSteps = 8;
  constexpr float kStep = 2.0f;
  Prepared<32> p;
  prepare(x, importance, p);
  float extreme = p.x[0];
  for (float v : p.x)
    if (std::fabs(v) > std::fabs(extreme)) extreme = v;
  if (p.unit == 0 || extreme == 0) {
    b.d = 0;
    std::fill_n(b.qs, 16, uint8_t{0x88});
    return;
  }
  uint8_t codes[32];
  float best_gain = 0, best_scale = extreme / kIq4Values[0];
  for (int end : {0, 15})
    for (int step = -kSteps; step <= kSteps; ++step) {
      const float target = kIq4Values[end] + static_cast<float>(step) * kStep;
      const Sums s = assign_codes(p, target / extreme, codes);
      if (s.gain() <= best_gain) continue;
      best_gain = s.gain();
      best_scale = s.xv / s.vv;
    }
  float best_error = HUGE_VALF;
  for (int round = 0; round < 4; ++round) {
    const uint16_t d = p.stored(best_scale);
    const float acting = p.acting(d);
    const Sums s = assign_codes(p, acting != 0 ? 1 / acting : 0, codes);
    const float error = error_of(p, acting, codes);
    if (error >= best_error) break;
    best_error = error;
    b.d = d;
    for (int l = 0; l < 16; ++l) b.qs[l] = static_cast<uint8_t>(codes[l] | codes[l + 16] << 4);
    if (s.vv == 0) break;
    best_scale = s.xv / s.vv;
  }
}

}  // namespace ingot::blocks
