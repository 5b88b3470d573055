// Passes over a whole row of logits [V], up to 262,144 floats: the only ones that cost something.
//
// Written with the compiler's vector types: same bits on every machine (no fused multiply-add, fixed
// order of sums). A NaN counts as -infinity: it is never greater than anything.
// Cost: no allocation. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <span>

namespace ingot::llm {

// e^x for x <= 0, within 2 units in the last place; 0 below -87.
float exp_negative(float x);

// Where the greatest value stands first; -1 if there is none above -infinity.
int64_t argmax(std::span<const float> x);

// Sum of e^(x[i] - max), max >= every x[i].
double sum_exp(std::span<const float> x, float max);

struct Moments {
  double mean = 0, deviation = 0;
  int64_t count = 0;  // values above -infinity; only these are counted
};
Moments moments(std::span<const float> x);

// Calls visit(i, x[i]) for each x[i] > *threshold in rising i; visit may raise *threshold.
template <class Visit>
void for_each_above(std::span<const float> x, const float* threshold, Visit visit);

// The first place from `begin` on, in steps of 32, where one of 32 values is above the threshold; or
// where fewer than 32 are left.
size_t skip_below(std::span<const float> x, size_t begin, float threshold);

template <class Visit>
void for_each_above(std::span<const float> x, const float* threshold, Visit visit) {
  size_t i = 0;
  while ((i = skip_below(x, i, *threshold)) < x.size()) {
    for (const size_t end = i + 32 < x.size() ? i + 32 : x.size(); i < end; ++i) {
      if (x[i] > *threshold) visit(static_cast<int32_t>(i), x[i]);
    }
  }
}

}  // namespace ingot::llm
