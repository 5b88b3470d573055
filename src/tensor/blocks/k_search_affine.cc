// search_affine of k_search.h: sub-blocks with a scale and a minimum.
#include "tensor/blocks/k_search.h"

namespace ingot::blocks {
namespace {

constexpr int kRounds = 2;

// x is approximated by scale * q - min; both are >= 0.
struct Fit {
  float scale = 0, min = 0;
};

// Weighted sums over a sub-block.
struct Sums {
  float w = 0, x = 0, q = 0, qq = 0, xq = 0;
};

// The least-squares fit for given codes, and the error it takes off sum(w * x^2).
float solve(const Sums& s, Fit& fit) {
  const float det = s.w * s.qq - s.q * s.q;
  if (det > 1e-7f * s.w * s.qq) {
    fit.scale = (s.w * s.xq - s.x * s.q) / det;
    fit.min = (s.q * s.xq - s.qq * s.x) / det;
    if (fit.min >= 0) return fit.scale * s.xq - fit.min * s.x;
  }
  fit.min = 0;
  fit.scale = s.qq > 0 ? s.xq / s.qq : 0;
  return fit.scale * s.xq;
}

template <int kSubSize, int kCodeMax>
void add_codes(const float* x, const float* w, float low, float inverse, Sums& s) {
  float q_sum = 0, qq = 0, xq = 0;
#pragma omp simd reduction(+ : q_sum, qq, xq)
  for (int i = 0; i < kSubSize; ++i) {
    const float q = round_small(std::min(std::max((x[i] - low) * inverse, 0.0f), static_cast<float>(kCodeMax)));
    const float wq = w[i] * q;
    q_sum += wq;
    qq += wq * q;
    xq += wq * x[i];
  }
  s.q = q_sum;
  s.qq = qq;
  s.xq = xq;
}

template <int kSubSize, int kCodeMax>
Fit fit_sub_block(const float* x, const float* w) {
  Sums s;
  float low = 0, high = x[0];
  for (int i = 0; i < kSubSize; ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
    s.w += w[i];
    s.x += w[i] * x[i];
  }
  if (high <= low) return {0, -low};  // all equal and not above 0
  // Steps over the range that the codes should span: from clipping both ends to leaving codes unused.
  constexpr int kSteps = 20;
  constexpr float kFirst = kCodeMax == 3 ? -0.9f : -1.2f, kStep = kCodeMax == 3 ? 0.15f : 0.12f;
  const float range = high - low;
  Fit best{range / kCodeMax, -low};
  float best_gain = -HUGE_VALF;
  for (int step = 0; step < kSteps; ++step) {
    const float inverse = (kCodeMax + kFirst + kStep * static_cast<float>(step)) / range;
    Fit fit;
    float from = low;
    for (int pass = 0; pass < 2; ++pass) {  // the second pass starts from the first one's minimum
      add_codes<kSubSize, kCodeMax>(x, w, from, pass == 0 || fit.scale <= 0 ? inverse : 1 / fit.scale, s);
      const float gain = solve(s, fit);
      if (fit.scale > 0 && gain > best_gain) {
        best_gain = gain;
        best = fit;
      }
      from = -fit.min;
    }
  }
  return best;
}

template <int kSubSize, int kCodeMax>
float error_of(const float* x, const float* w, float scale, float min) {
  const float inverse = scale > 0 ? 1 / scale : 0;
  float error = 0;
#pragma omp simd reduction(+ : error)
  for (int i = 0; i < kSubSize; ++i) {
    const float q = round_small(std::min(std::max((x[i] + min) * inverse, 0.0f), static_cast<float>(kCodeMax)));
    const float miss = x[i] - (scale * q - min);
    error += w[i] * miss * miss;
  }
  return error;
}

// The integer nearest to v / d, in 0 … top.
int nearest_step(float v, float d, int top) {
  return d > 0 ? static_cast<int>(round_small(std::min(std::max(v / d, 0.0f), static_cast<float>(top)))) : 0;
}

template <int kSubSize, int kCodeMax, int kScaleMax>
class AffineSearch {
 public:
  explicit AffineSearch(const Prepared<kSuperBlock>& p) : p_(p) {}

  void run(AffineCodes& out) {
    float scale_max = 0, min_max = 0;
    for (int s = 0; s < kSubs; ++s) {
      fits_[s] = fit_sub_block<kSubSize, kCodeMax>(p_.x + s * kSubSize, p_.w + s * kSubSize);
      scale_max = std::max(scale_max, fits_[s].scale);
      min_max = std::max(min_max, fits_[s].min);
    }
    Fit super{scale_max / kScaleMax, min_max / kScaleMax};
    float best = HUGE_VALF;
    for (int round = 0; round < kRounds; ++round) {
      const uint16_t d = p_.stored(super.scale), dmin = p_.stored(super.min);
      const float error = pick_integers(p_.acting(d), p_.acting(dmin));
      if (error >= best) break;
      best = error;
      out.d = d;
      out.dmin = dmin;
      std::copy_n(scales_, kSubs, out.scales);
      std::copy_n(mins_, kSubs, out.mins);
      if (!solve_super(p_.acting(d), p_.acting(dmin), super)) break;
    }
    fill_codes(out);
  }

 private:
  static constexpr int kSubs = kSuperBlock / kSubSize;

  const float* x(int s) const { return p_.x + s * kSubSize; }
  const float* w(int s) const { return p_.w + s * kSubSize; }

  // For each sub-block the best of the 3 x 3 integers around the fit. Returns the error of the super-block.
  float pick_integers(float d, float dmin) {
    float total = 0;
    for (int s = 0; s < kSubs; ++s) {
      const int scale0 = nearest_step(fits_[s].scale, d, kScaleMax);
      const int min0 = nearest_step(fits_[s].min, dmin, kScaleMax);
      float best = HUGE_VALF;
      for (int scale = std::max(scale0 - 1, 0); scale <= std::min(scale0 + 1, kScaleMax); ++scale)
        for (int min = std::max(min0 - 1, 0); min <= std::min(min0 + 1, kScaleMax); ++min) {
          const float error =
              error_of<kSubSize, kCodeMax>(x(s), w(s), d * static_cast<float>(scale), dmin * static_cast<float>(min));
          if (error >= best) continue;
          best = error;
          scales_[s] = static_cast<uint8_t>(scale);
          mins_[s] = static_cast<uint8_t>(min);
        }
      total += best;
    }
    return total;
  }

  // Least squares over the super-block for d and dmin, codes and integers fixed: x = d * a - dmin * b.
  bool solve_super(float d, float dmin, Fit& super) const {
    float aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;
    for (int s = 0; s < kSubs; ++s) {
      const float scale = scales_[s], min = mins_[s];
      const float inverse = scale > 0 && d > 0 ? 1 / (d * scale) : 0;
      Sums t;
      add_codes<kSubSize, kCodeMax>(x(s), w(s), -dmin * min, inverse, t);
      for (int i = 0; i < kSubSize; ++i) {
        t.w += w(s)[i];
        t.x += w(s)[i] * x(s)[i];
      }
      aa += scale * scale * t.qq;
      ab += scale * min * t.q;
      bb += min * min * t.w;
      xa += scale * t.xq;
      xb += min * t.x;
    }
    const float det = aa * bb - ab * ab;
    if (aa <= 0) return false;
    if (det > 1e-6f * aa * bb) {
      super.scale = (bb * xa - ab * xb) / det;
      super.min = (ab * xa - aa * xb) / det;
      return super.scale > 0 && super.min >= 0;
    }
    super.scale = (xa + dmin * ab) / aa;
    return super.scale > 0;
  }

  void fill_codes(AffineCodes& out) const {
    const float d = p_.acting(out.d), dmin = p_.acting(out.dmin);
    for (int s = 0; s < kSubs; ++s) {
      const float scale = d * static_cast<float>(out.scales[s]), min = dmin * static_cast<float>(out.mins[s]);
      const float inverse = scale > 0 ? 1 / scale : 0;
      for (int i = 0; i < kSubSize; ++i) {
        const float q = round_small(std::min(std::max((x(s)[i] + min) * inverse, 0.0f), static_cast<float>(kCodeMax)));
        out.q[s * kSubSize + i] = static_cast<uint8_t>(static_cast<int>(q));
      }
    }
  }

  const Prepared<kSuperBlock>& p_;
  Fit fits_[kSubs];
  uint8_t scales_[kSubs] = {}, mins_[kSubs] = {};
};

}  // namespace

template <int kSubSize, int kCodeMax, int kScaleMax>
void search_affine(const Prepared<kSuperBlock>& p, AffineCodes& out) {
  if (p.unit == 0) return;
  AffineSearch<kSubSize, kCodeMax, kScaleMax>(p).run(out);
}

template void search_affine<16, 3, 15>(const Prepared<kSuperBlock>&, AffineCodes&);
template void search_affine<32, 15, 63>(const Prepared<kSuperBlock>&, AffineCodes&);
template void search_affine<32, 31, 63>(const Prepared<kSuperBlock>&, AffineCodes&);

}  // namespace ingot::blocks
