// RandomUniform, RandomNormal and their Like forms, Bernoulli, Multinomial, Dropout.
//
// A seed gives the numbers of NumPy's RandomState(seed), as ONNX's own reference does: MT19937 (Matsumoto and
// Nishimura 1998), 53-bit uniforms, Marsaglia's polar method for normals. Every run starts anew. Without a seed the
// numbers differ from run to run.
#include <algorithm>
#include <cmath>
#include <random>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"
#include "backends/ref/reals.h"
#include "tensor/number_at.h"

namespace ingot {
namespace {

class Generator {
 public:
  explicit Generator(const Node& n)
      : bits_(n.attributes.has("seed") ? static_cast<uint32_t>(n.attributes.get_int("seed")) : std::random_device{}()) {
  }

  // In [0, 1).
  double uniform() {
    const uint64_t high = bits_() >> 5, low = bits_() >> 6;
    return (static_cast<double>(high) * 0x1p26 + static_cast<double>(low)) * 0x1p-53;
  }
  double normal() {
    if (spare_) return *std::exchange(spare_, std::nullopt);
    double x = 0, y = 0, r = 0;
    do {
      x = 2 * uniform() - 1;
      y = 2 * uniform() - 1;
      r = x * x + y * y;
    } while (r >= 1 || r == 0);
    const double f = std::sqrt(-2 * std::log(r) / r);
    spare_ = f * x;
    return f * y;
  }

 private:
  std::mt19937 bits_;
  std::optional<double> spare_;
};

// y[i] = f(i), of any float or integer type.
template <class F>
void fill(KernelContext& c, F f) {
  const TensorRef& y = c.out(0);
  if (y.dtype == DType::kBool) {
    for (int64_t i = 0; i < y.num_elements(); ++i) y.as<bool>()[i] = f(i) != 0;
    return;
  }
  dispatch_number(c, y.dtype, [&]<class T>() {
    for (int64_t i = 0; i < y.num_elements(); ++i) y.as<T>()[i] = static_cast<T>(f(i));
  });
}

void uniform(KernelContext& c) {
  Generator random(c.node);
  const double low = c.node.attributes.get_float("low", 0), high = c.node.attributes.get_float("high", 1);
  fill(c, [&](int64_t) { return low + (high - low) * random.uniform(); });
}

void normal(KernelContext& c) {
  Generator random(c.node);
  const double mean = c.node.attributes.get_float("mean", 0), scale = c.node.attributes.get_float("scale", 1);
  fill(c, [&](int64_t) { return mean + scale * random.normal(); });
}

}  // namespace

void ref_RandomUniform(KernelContext& c) { uniform(c); }
void ref_RandomUniformLike(KernelContext& c) { uniform(c); }
void ref_RandomNormal(KernelContext& c) { normal(c); }
void ref_RandomNormalLike(KernelContext& c) { normal(c); }

// 1 with the probability that the input gives.
void ref_Bernoulli(KernelContext& c) {
  Generator random(c.node);
  fill(c, [&](int64_t i) {
    const double p = number_at(c.in(0), i);
    if (p <= 0) return 0;
    return p <= 0.5 ? (random.uniform() > 1 - p ? 1 : 0) : (random.uniform() > p ? 0 : 1);
  });
}

// Draws classes by their unnormalized log-probabilities, [N,C] -> [N,sample_size].
void ref_Multinomial(KernelContext& c) {
  Generator random(c.node);
  const int64_t rows = c.in(0).shape[0], classes = c.in(0).shape[1], samples = c.out(0).shape[1];
  if (classes < 1 && rows * samples > 0) return invalid_data(c, "there are no classes");
  std::vector<double> sums(static_cast<size_t>(classes));
  for (int64_t r = 0; r < rows; ++r) {
    double top = -INFINITY, sum = 0;
    for (int64_t k = 0; k < classes; ++k) top = std::max(top, number_at(c.in(0), r * classes + k));
    for (int64_t k = 0; k < classes; ++k)
      sums[static_cast<size_t>(k)] = sum += std::exp(number_at(c.in(0), r * classes + k) - top);
    for (int64_t i = 0; i < samples; ++i) {
      const auto it = std::ranges::upper_bound(sums, random.uniform() * sum);
      const int64_t k = std::min<int64_t>(it - sums.begin(), classes - 1);
      if (c.out(0).dtype == DType::kI64)
        c.out(0).as<int64_t>()[r * samples + i] = k;
      else
        c.out(0).as<int32_t>()[r * samples + i] = static_cast<int32_t>(k);
    }
  }
}

// Without training: the input, and a mask of ones. With it: each element is dropped with probability `ratio`, the
// rest grow to make up for it.
void ref_Dropout(KernelContext& c) {
  const auto given = c.has_input(1) ? reals_of(c.in(1)) : std::vector<double>{};
  const double ratio = given.empty() ? 0.5 : given[0];
  const bool training = c.has_input(2) && *c.in(2).as<uint8_t>() != 0;
  if (!(ratio >= 0 && ratio < 1)) return invalid_data(c, fmt::format("ratio {} is not in [0, 1)", ratio));
  Generator random(c.node);
  const auto values = reals_of(c.in(0));
  const double scale = training ? 1 / (1 - ratio) : 1;
  for (size_t i = 0; i < values.size(); ++i) {
    const bool keep = !training || ratio == 0 || random.uniform() >= ratio;
    store_real(c.out(0), static_cast<int64_t>(i), keep ? values[i] * scale : 0);
    if (c.has_output(1)) c.out(1).as<uint8_t>()[i] = keep;
  }
}

}  // namespace ingot
