// Reference kernels: ingot.rms_norm, rope, activations, softcap.
#include <cmath>

#include "backends/ref/activations.h"
#include "backends/ref/kernels.h"

namespace ingot {

void ref_RmsNorm(KernelContext& c) {
  const int64_t width = c.in(1).num_elements(), rows = c.in(0).num_elements() / width;
  const float eps = c.node.attributes.get_float("eps");
  const float *x = c.in(0).as<float>(), *w = c.in(1).as<float>();
  float* y = c.out(0).as<float>();
  for (int64_t r = 0; r < rows; ++r) {
    double squares = 0;
    for (int64_t i = 0; i < width; ++i) squares += static_cast<double>(x[r * width + i]) * x[r * width + i];
    const float scale = static_cast<float>(1.0 / std::sqrt(squares / static_cast<double>(width) + eps));
    for (int64_t i = 0; i < width; ++i) y[r * width + i] = x[r * width + i] * scale * w[i];
  }
}

void ref_RopeTable(KernelContext& c) {
  const int64_t half = c.in(1).num_elements();
  const float scale = c.node.attributes.get_float("scale", 1.0f);
  for (int64_t t = 0; t < c.in(0).num_elements(); ++t)
    for (int64_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(c.in(0).as<int32_t>()[t]) * c.in(1).as<float>()[i];
      float* row = c.out(0).as<float>() + t * 2 * half;
      row[i] = static_cast<float>(std::cos(static_cast<double>(angle))) * scale;
      row[half + i] = static_cast<float>(std::sin(static_cast<double>(angle))) * scale;
    }
}

void ref_Rope(KernelContext& c) {
  const int64_t d = c.node.attributes.get_int("head_dim"), width = c.in(0).shape[1], rotary = c.in(1).shape[1];
  const bool interleaved = c.node.attributes.get_int("interleaved") != 0;
  const int64_t half = rotary / 2;
  for (int64_t t = 0; t < c.in(0).shape[0]; ++t) {
    const float* table = c.in(1).as<float>() + t * rotary;
    for (int64_t head = 0; head < width / d; ++head) {
      const float* x = c.in(0).as<float>() + t * width + head * d;
      float* y = c.out(0).as<float>() + t * width + head * d;
      for (int64_t i = 0; i < half; ++i) {
        const int64_t a = interleaved ? 2 * i : i, b = interleaved ? 2 * i + 1 : i + half;
        const float xa = x[a], xb = x[b];
        y[a] = xa * table[i] - xb * table[half + i];
        y[b] = xa * table[half + i] + xb * table[i];
      }
      for (int64_t i = rotary; i < d; ++i) y[i] = x[i];
    }
  }
}

void ref_GatedActivation(KernelContext& c) {
  const auto f = activation_by_name(c.node.attributes.get_string("activation"));
  const bool packed = !c.has_input(1);
  const int64_t width = c.out(0).shape.at(-1), rows = c.out(0).num_elements() / width;
  for (int64_t r = 0; r < rows; ++r) {
    const float* gate = c.in(0).as<float>() + r * (packed ? 2 * width : width);
    const float* up = packed ? gate + width : c.in(1).as<float>() + r * width;
    for (int64_t i = 0; i < width; ++i) c.out(0).as<float>()[r * width + i] = f(gate[i]) * up[i];
  }
}

void ref_Activation(KernelContext& c) {
  const auto f = activation_by_name(c.node.attributes.get_string("activation"));
  for (int64_t i = 0; i < c.in(0).num_elements(); ++i) c.out(0).as<float>()[i] = f(c.in(0).as<float>()[i]);
}

void ref_Softcap(KernelContext& c) {
  const float cap = c.node.attributes.get_float("cap");
  for (int64_t i = 0; i < c.in(0).num_elements(); ++i)
    c.out(0).as<float>()[i] = cap * std::tanh(c.in(0).as<float>()[i] / cap);
}

}  // namespace ingot
