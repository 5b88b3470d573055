// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: scores [N,C,d…], targets [N,d…], weights [C].
#include <cmath>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

// loss[n,d] = -log_prob[n,target,d] * weight[target], then none, sum, or sum / sum of weights. Targets equal to
// ignore_index count nothing.
template <class T, class LogProb>
void reduce_loss(KernelContext& c, const LogProb& log_prob) {
  const TensorView& target = c.in(1);
  const AxisView v(c.in(0).shape, 1);
  const std::string reduction = c.node.attributes.get_string("reduction", "mean");
  const Attribute* ignored = c.node.attributes.find("ignore_index");
  if (c.has_input(2) && c.in(2).num_elements() != v.size) return invalid_data(c, "needs one weight a class");
  double loss = 0, weights = 0;
  for (int64_t i = 0; i < target.num_elements(); ++i) {
    const int64_t k = index_at(target, i);
    const bool skip = ignored && std::get<int64_t>(*ignored) == k;
    if (!skip && (k < 0 || k >= v.size)) return invalid_data(c, fmt::format("target {} of {} classes", k, v.size));
    const double w = skip ? 0 : c.has_input(2) ? static_cast<double>(c.in(2).as<T>()[k]) : 1;
    const double one = skip ? 0 : -log_prob((i / v.inner * v.size + k) * v.inner + i % v.inner) * w;
    if (reduction == "none") c.out(0).as<T>()[i] = static_cast<T>(one);
    loss += one;
    weights += w;
  }
  if (reduction == "sum") *c.out(0).as<T>() = static_cast<T>(loss);
  if (reduction == "mean") *c.out(0).as<T>() = static_cast<T>(loss / weights);
}

bool shapes_fit(KernelContext& c) {
  const Shape &x = c.in(0).shape, &t = c.in(1).shape;
  bool fit = x.rank() >= 2 && t.rank() == x.rank() - 1;
  for (int i = 0; fit && i < t.rank(); ++i) fit = t[i] == x[i ? i + 1 : 0];
  if (!fit) invalid_data(c, fmt::format("the targets are {} for scores {}", t.to_string(), x.to_string()));
  return fit;
}

}  // namespace

void ref_NegativeLogLikelihoodLoss(KernelContext& c) {
  if (!shapes_fit(c)) return;
  dispatch_float(c, c.in(0).dtype, [&]<class T>() {
    const T* x = c.in(0).as<T>();
    reduce_loss<T>(c, [&](int64_t i) { return static_cast<double>(x[i]); });
  });
}

void ref_SoftmaxCrossEntropyLoss(KernelContext& c) {
  if (!shapes_fit(c)) return;
  dispatch_float(c, c.in(0).dtype, [&]<class T>() {
    const T* x = c.in(0).as<T>();
    const AxisView v(c.in(0).shape, 1);
    std::vector<double> log_prob(static_cast<size_t>(c.in(0).num_elements()));
    for (int64_t o = 0; o < v.outer; ++o)
      for (int64_t i = 0; i < v.inner; ++i) {
        const auto at = [&](int64_t k) { return static_cast<size_t>((o * v.size + k) * v.inner + i); };
        double top = -INFINITY, sum = 0;
        for (int64_t k = 0; k < v.size; ++k) top = std::max(top, static_cast<double>(x[at(k)]));
        for (int64_t k = 0; k < v.size; ++k) sum += std::exp(static_cast<double>(x[at(k)]) - top);
        for (int64_t k = 0; k < v.size; ++k) log_prob[at(k)] = static_cast<double>(x[at(k)]) - top - std::log(sum);
      }
    if (c.has_output(1))
      for (size_t i = 0; i < log_prob.size(); ++i) c.out(1).as<T>()[i] = static_cast<T>(log_prob[i]);
    reduce_loss<T>(c, [&](int64_t i) { return log_prob[static_cast<size_t>(i)]; });
  });
}

}  // namespace ingot
