// search_symmetric of k_search.h: sub-blocks with a signed scale and signed codes.
#include "tensor/blocks/k_search.h"

namespace ingot::blocks {
namespace {

constexpr int kRounds = 3;

struct Sums {
  float qq = 0, xq = 0;

  float scale() const { return qq > 0 ? xq / qq : 0; }
  // The squared error that the least-squares scale takes off.
  float gain() const { return qq > 0 ? xq * xq / qq : 0; }
};

template <int kRange>
float to_code(float v) {
  return round_small(std::min(std::max(v, static_cast<float>(-kRange)), static_cast<float>(kRange - 1)));
}

template <int kSubSize, int kCodeRange>
Sums sum_codes(const float* x, const float* w, float inverse) {
  float qq = 0, xq = 0;
#pragma omp simd reduction(+ : qq, xq)
  for (int i = 0; i < kSubSize; ++i) {
    const float q = to_code<kCodeRange>(x[i] * inverse);
    qq += w[i] * q * q;
    xq += w[i] * x[i] * q;
  }
  return {qq, xq};
}

template <int kSubSize, int kCodeRange>
float error_of(const float* x, const float* w, float scale) {
  const float inverse = scale != 0 ? 1 / scale : 0;
  float error = 0;
#pragma omp simd reduction(+ : error)
  for (int i = 0; i < kSubSize; ++i) {
    const float miss = x[i] - scale * to_code<kCodeRange>(x[i] * inverse);
    error += w[i] * miss * miss;
  }
  return error;
}

// Candidates put the element of largest magnitude at and around the long end -kCodeRange (the scale's sign
// is free), and around the short end.
template <int kSubSize, int kCodeRange>
float fit_sub_block(const float* x, const float* w) {
  float extreme = 0;
  for (int i = 0; i < kSubSize; ++i)
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  if (extreme == 0) return 0;
  constexpr int kSteps = 10;
  constexpr float kStep = 0.12f;
  float best_gain = 0, best = 0;
  for (int end : {-kCodeRange, kCodeRange - 1})
    for (int step = -kSteps; step <= kSteps; ++step) {
      const float inverse = (static_cast<float>(end) + kStep * static_cast<float>(step)) / extreme;
      const Sums s = sum_codes<kSubSize, kCodeRange>(x, w, inverse);
      if (s.gain() <= best_gain) continue;
      best_gain = s.gain();
      best = s.scale();
    }
  for (int round = 0; round < 2 && best != 0; ++round) {
    const Sums s = sum_codes<kSubSize, kCodeRange>(x, w, 1 / best);
    if (s.gain() <= best_gain) break;
    best_gain = s.gain();
    best = s.scale();
  }
  return best;
}

template <int kSubSize, int kCodeRange, int kScaleRange>
class SymmetricSearch {
 public:
  explicit SymmetricSearch(const Prepared<kSuperBlock>& p) : p_(p) {}

  void run(SymmetricCodes& out) {
    float extreme = 0;
    for (int s = 0; s < kSubs; ++s) {
      fits_[s] = fit_sub_block<kSubSize, kCodeRange>(x(s), w(s));
      if (std::fabs(fits_[s]) > std::fabs(extreme)) extreme = fits_[s];
    }
    float super = extreme / -kScaleRange;
    float best = HUGE_VALF;
    for (int round = 0; round < kRounds; ++round) {
      const uint16_t d = p_.stored(super);
      const float error = pick_integers(p_.acting(d));
      if (error >= best) break;
      best = error;
      out.d = d;
      std::copy_n(scales_, kSubs, out.scales);
      if (!solve_super(p_.acting(d), super)) break;
    }
    const float d = p_.acting(out.d);
    for (int s = 0; s < kSubs; ++s) {
      const float scale = d * static_cast<float>(out.scales[s]);
      const float inverse = scale != 0 ? 1 / scale : 0;
      for (int i = 0; i < kSubSize; ++i)
        out.q[s * kSubSize + i] = static_cast<int8_t>(static_cast<int>(to_code<kCodeRange>(x(s)[i] * inverse)));
    }
  }

 private:
  static constexpr int kSubs = kSuperBlock / kSubSize;

  const float* x(int s) const { return p_.x + s * kSubSize; }
  const float* w(int s) const { return p_.w + s * kSubSize; }

  float pick_integers(float d) {
    float total = 0;
    for (int s = 0; s < kSubs; ++s) {
      const int scale0 = d != 0 ? static_cast<int>(to_code<kScaleRange>(fits_[s] / d)) : 0;
      float best = HUGE_VALF;
      for (int scale = std::max(scale0 - 1, -kScaleRange); scale <= std::min(scale0 + 1, kScaleRange - 1); ++scale) {
        const float error = error_of<kSubSize, kCodeRange>(x(s), w(s), d * static_cast<float>(scale));
        if (error >= best) continue;
        best = error;
        scales_[s] = static_cast<int8_t>(scale);
      }
      total += best;
    }
    return total;
  }

  // Least squares over the super-block for d, codes and integers fixed.
  bool solve_super(float d, float& super) const {
    Sums all;
    for (int s = 0; s < kSubs; ++s) {
      const float scale = scales_[s];
      if (scale == 0 || d == 0) continue;
      const Sums t = sum_codes<kSubSize, kCodeRange>(x(s), w(s), 1 / (d * scale));
      all.qq += scale * scale * t.qq;
      all.xq += scale * t.xq;
    }
    super = all.scale();
    return super != 0;
  }

  const Prepared<kSuperBlock>& p_;
  float fits_[kSubs] = {};
  int8_t scales_[kSubs] = {};
};

}  // namespace

template <int kSubSize, int kCodeRange, int kScaleRange>
void search_symmetric(const Prepared<kSuperBlock>& p, SymmetricCodes& out) {
  if (p.unit == 0) return;
  SymmetricSearch<kSubSize, kCodeRange, kScaleRange>(p).run(out);
}

template void search_symmetric<16, 4, 32>(const Prepared<kSuperBlock>&, SymmetricCodes&);
template void search_symmetric<16, 32, 128>(const Prepared<kSuperBlock>&, SymmetricCodes&);

}  // namespace ingot::blocks
