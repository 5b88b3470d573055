// One step of an optimizer over n tensors: (R, T, X…, G…, state…) -> (X…, state…). Formulas: the operators' own
// definitions in ai.onnx.preview.training.
#include <cmath>

#include "backends/ref/dispatch.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

double scalar_of(const TensorView& t) { return t.dtype == DType::kF64 ? *t.as<double>() : *t.as<float>(); }

// Calls step(x, gradient, states[]) for every element, in double; it updates x and the states.
template <size_t kStates, class Step>
void optimize(KernelContext& c, Step step) {
  const int n = (static_cast<int>(c.inputs.size()) - 2) / static_cast<int>(2 + kStates);
  for (int i = 0; i < n; ++i)
    dispatch_float(c, c.in(2 + i).dtype, [&]<class T>() {
      for (int64_t e = 0; e < c.in(2 + i).num_elements(); ++e) {
        double x = static_cast<double>(c.in(2 + i).as<T>()[e]), state[kStates];
        for (int s = 0; s < static_cast<int>(kStates); ++s)
          state[s] = static_cast<double>(c.in(2 + (2 + s) * n + i).as<T>()[e]);
        step(x, static_cast<double>(c.in(2 + n + i).as<T>()[e]), state);
        c.out(i).as<T>()[e] = static_cast<T>(x);
        for (int s = 0; s < static_cast<int>(kStates); ++s)
          c.out((1 + s) * n + i).as<T>()[e] = static_cast<T>(state[s]);
      }
    });
}

bool rate_is_float(KernelContext& c) {
  if (c.in(0).dtype == DType::kF32 || c.in(0).dtype == DType::kF64) return true;
  unsupported_type(c, c.in(0).dtype);
  return false;
}

}  // namespace

void ref_Momentum(KernelContext& c) {
  if (!rate_is_float(c)) return;
  const Attributes& a = c.node.attributes;
  const double rate = scalar_of(c.in(0)), alpha = a.get_float("alpha"), norm = a.get_float("norm_coefficient");
  const double beta = *c.in(1).as<int64_t>() > 0 ? a.get_float("beta") : 1;
  const bool nesterov = a.get_string("mode") == "nesterov";
  optimize<1>(c, [&](double& x, double g, double* v) {
    g += norm * x;
    v[0] = alpha * v[0] + beta * g;
    x -= rate * (nesterov ? g + alpha * v[0] : v[0]);
  });
}

void ref_Adagrad(KernelContext& c) {
  if (!rate_is_float(c)) return;
  const Attributes& a = c.node.attributes;
  const double epsilon = a.get_float("epsilon", 1e-6f), norm = a.get_float("norm_coefficient");
  const double rate =
      scalar_of(c.in(0)) / (1 + static_cast<double>(*c.in(1).as<int64_t>()) * a.get_float("decay_factor"));
  optimize<1>(c, [&](double& x, double g, double* h) {
    g += norm * x;
    h[0] += g * g;
    x -= rate * g / (std::sqrt(h[0]) + epsilon);
  });
}

void ref_Adam(KernelContext& c) {
  if (!rate_is_float(c)) return;
  const Attributes& a = c.node.attributes;
  const double alpha = a.get_float("alpha", 0.9f), beta = a.get_float("beta", 0.999f);
  const double epsilon = a.get_float("epsilon", 1e-6f), norm = a.get_float("norm_coefficient");
  const double after = 1 - static_cast<double>(a.get_float("norm_coefficient_post"));
  const double t = static_cast<double>(*c.in(1).as<int64_t>());
  const double rate = scalar_of(c.in(0)) * (t > 0 ? std::sqrt(1 - std::pow(beta, t)) / (1 - std::pow(alpha, t)) : 1);
  optimize<2>(c, [&](double& x, double g, double* state) {
    g += norm * x;
    state[0] = alpha * state[0] + (1 - alpha) * g;
    state[1] = beta * state[1] + (1 - beta) * g * g;
    x = after * (x - rate * state[0] / (std::sqrt(state[1]) + epsilon));
  });
}

}  // namespace ingot
