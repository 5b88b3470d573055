// Activations: formulas as in the ONNX specification; parameters are attributes.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

float parameter(const KernelContext& c, std::string_view name, float otherwise) {
  return c.node.attributes.get_float(name, otherwise);
}

template <class T>
T sigmoid(T x) {
  return 1 / (1 + std::exp(-x));
}

template <class T>
T softplus(T x) {
  return std::max(x, T(0)) + std::log1p(std::exp(-std::fabs(x)));
}

}  // namespace

void ref_Relu(KernelContext& c) {
  map_number(c, []<class T>(T x) -> T { return x < T(0) ? T(0) : x; });
}

void ref_LeakyRelu(KernelContext& c) {
  const float a = parameter(c, "alpha", 0.01f);
  map_float(c, [=]<class T>(T x) { return x < 0 ? T(a) * x : x; });
}

void ref_ThresholdedRelu(KernelContext& c) {
  const float a = parameter(c, "alpha", 1);
  map_float(c, [=]<class T>(T x) { return x > a ? x : T(0); });
}

void ref_PRelu(KernelContext& c) {
  dispatch_number(c, c.in(0).dtype, [&]<class T>() {
    map_binary<T, T>(c, [](T x, T slope) { return x < T(0) ? static_cast<T>(Compute<T>(x) * Compute<T>(slope)) : x; });
  });
}

void ref_Elu(KernelContext& c) {
  const float a = parameter(c, "alpha", 1);
  map_float(c, [=]<class T>(T x) { return x < 0 ? T(a) * std::expm1(x) : x; });
}

void ref_Celu(KernelContext& c) {
  const float a = parameter(c, "alpha", 1);
  map_float(c, [=]<class T>(T x) { return std::max(T(0), x) + std::min(T(0), T(a) * std::expm1(x / T(a))); });
}

void ref_Selu(KernelContext& c) {
  const float a = parameter(c, "alpha", 1.67326319217681884765625f);
  const float g = parameter(c, "gamma", 1.05070102214813232421875f);
  map_float(c, [=]<class T>(T x) { return T(g) * (x > 0 ? x : T(a) * std::expm1(x)); });
}

void ref_Gelu(KernelContext& c) {
  if (c.node.attributes.get_string("approximate", "none") == "tanh") {
    map_float(c, []<class T>(T x) {
      const T inner = std::numbers::inv_sqrtpi_v<T> * std::numbers::sqrt2_v<T> * (x + T(0.044715) * x * x * x);
      return T(0.5) * x * (1 + std::tanh(inner));
    });
  } else {
    map_float(c, []<class T>(T x) { return T(0.5) * x * (1 + std::erf(x / std::numbers::sqrt2_v<T>)); });
  }
}

void ref_Sigmoid(KernelContext& c) {
  map_float(c, [](auto x) { return sigmoid(x); });
}

void ref_HardSigmoid(KernelContext& c) {
  const float a = parameter(c, "alpha", 0.2f), b = parameter(c, "beta", 0.5f);
  map_float(c, [=]<class T>(T x) { return std::max(T(0), std::min(T(1), T(a) * x + T(b))); });
}

void ref_HardSwish(KernelContext& c) {
  map_float(c, []<class T>(T x) { return x * std::max(T(0), std::min(T(1), x / 6 + T(0.5))); });
}

void ref_Swish(KernelContext& c) {
  const float a = parameter(c, "alpha", 1);
  map_float(c, [=]<class T>(T x) { return x * sigmoid(T(a) * x); });
}

void ref_Mish(KernelContext& c) {
  map_float(c, [](auto x) { return x * std::tanh(softplus(x)); });
}

void ref_Softplus(KernelContext& c) {
  map_float(c, [](auto x) { return softplus(x); });
}

void ref_Softsign(KernelContext& c) {
  map_float(c, [](auto x) { return x / (1 + std::fabs(x)); });
}

void ref_Shrink(KernelContext& c) {
  const float lambda = parameter(c, "lambd", 0.5f), bias = parameter(c, "bias", 0);
  map_number(c, [=]<class T>(T x) -> T {
    const double v = static_cast<double>(x);
    return v < -lambda ? static_cast<T>(v + bias) : v > lambda ? static_cast<T>(v - bias) : T(0);
  });
}

void ref_Clip(KernelContext& c) {
  dispatch_number(c, c.in(0).dtype, [&]<class T>() {
    using V = Compute<T>;
    const T *low = c.has_input(1) ? c.in(1).as<T>() : nullptr, *high = c.has_input(2) ? c.in(2).as<T>() : nullptr;
    for (int64_t i = 0; i < c.in(0).num_elements(); ++i) {
      V v = c.in(0).as<T>()[i];
      if (low && v < V(*low)) v = *low;
      if (high && v > V(*high)) v = *high;
      c.out(0).as<T>()[i] = static_cast<T>(v);
    }
  });
}

}  // namespace ingot
