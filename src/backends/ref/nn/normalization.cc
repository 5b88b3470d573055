// Batch, instance, group, layer and RMS normalization; statistics in double.
#include <cmath>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

struct Moments {
  double mean = 0, inverse_deviation = 0;
};

// Over n consecutive elements; 1 / sqrt(variance + epsilon).
template <class T>
Moments moments(const T* x, int64_t n, double epsilon) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]);
  const double mean = sum / static_cast<double>(n);
  for (int64_t i = 0; i < n; ++i) squares += (static_cast<double>(x[i]) - mean) * (static_cast<double>(x[i]) - mean);
  return {mean, 1 / std::sqrt(squares / static_cast<double>(n) + epsilon)};
}

double epsilon_of(const KernelContext& c) { return c.node.attributes.get_float("epsilon", 1e-5f); }

template <class T>
void store(T& to, double v) {
  to = static_cast<T>(static_cast<Compute<T>>(v));
}

// Element i of a float operand of any float type.
double float_at(const TensorView& t, int64_t i) {
  double v = 0;
  dispatch_if_float(t.dtype, [&]<class T>() { v = static_cast<double>(t.as<T>()[i]); });
  return v;
}

bool has_channels(const KernelContext& c, int first, int count) {
  const Shape& s = c.in(0).shape;
  for (int i = first; i < first + count; ++i)
    if (s.rank() < 2 || c.in(i).num_elements() != s[1]) {
      invalid_data(c, fmt::format("operand {} has not one element per channel", i));
      return false;
    }
  return true;
}

}  // namespace

void ref_BatchNormalization(KernelContext& c) {
  const Shape& s = c.in(0).shape;
  const int64_t channels = s.rank() < 2 ? 1 : s[1], inner = s.rank() < 2 ? 1 : s.product(2, s.rank());
  for (int i = 1; i < 5; ++i)
    if (c.in(i).num_elements() != channels)
      return invalid_data(c, fmt::format("operand {} has not one element per channel", i));
  const double epsilon = epsilon_of(c);
  dispatch_float(c, c.in(0).dtype, [&]<class T>() {
    for (int64_t i = 0; i < s.num_elements(); ++i) {
      const int64_t ch = i / inner % channels;
      const double centered = static_cast<double>(c.in(0).as<T>()[i]) - float_at(c.in(3), ch);
      store(c.out(0).as<T>()[i],
            centered / std::sqrt(float_at(c.in(4), ch) + epsilon) * float_at(c.in(1), ch) + float_at(c.in(2), ch));
    }
  });
}

namespace {

// Each of `groups` equal parts of a sample's channels is normalized; then scale and bias per channel.
void normalize_groups(KernelContext& c, int64_t groups) {
  const Shape& s = c.in(0).shape;
  if (!has_channels(c, 1, 2)) return;
  if (groups < 1 || s[1] % groups) return invalid_data(c, fmt::format("{} channels in {} groups", s[1], groups));
  const int64_t inner = s.product(2, s.rank()), size = s[1] / groups * inner;
  dispatch_float(c, c.in(0).dtype, [&]<class T>() {
    for (int64_t g = 0; g < s[0] * groups; ++g) {
      const T* x = c.in(0).as<T>() + g * size;
      const Moments m = moments(x, size, epsilon_of(c));
      for (int64_t i = 0; i < size; ++i) {
        const int64_t ch = (g * size + i) / inner % s[1];
        store(
            c.out(0).as<T>()[g * size + i],
            (static_cast<double>(x[i]) - m.mean) * m.inverse_deviation * float_at(c.in(1), ch) + float_at(c.in(2), ch));
      }
    }
  });
}

}  // namespace

void ref_InstanceNormalization(KernelContext& c) {
  normalize_groups(c, c.in(0).shape.rank() < 2 ? 1 : c.in(0).shape[1]);
}
void ref_GroupNormalization(KernelContext& c) { normalize_groups(c, c.node.attributes.get_int("num_groups", 1)); }

void ref_LayerNormalization(KernelContext& c) {
  const Shape& s = c.in(0).shape;
  const int axis = axis_of(c, -1, s.rank());
  const int64_t size = s.product(axis, s.rank()), rows = s.product(0, axis);
  Shape inner(s.dims().subspan(static_cast<size_t>(axis)));
  const auto scale_at = broadcast_strides(c.in(1).shape, inner);
  const auto bias_at = c.has_input(2) ? broadcast_strides(c.in(2).shape, inner) : scale_at;
  dispatch_float(c, c.in(0).dtype, [&]<class T>() {
    for (int64_t r = 0; r < rows; ++r) {
      const T* x = c.in(0).as<T>() + r * size;
      T* y = c.out(0).as<T>() + r * size;
      const Moments m = moments(x, size, epsilon_of(c));
      for_each_index<2>(inner, {scale_at, bias_at}, [&](int64_t i, const auto& at) {
        const double bias = c.has_input(2) ? float_at(c.in(2), at[1]) : 0;
        store(y[i], (static_cast<double>(x[i]) - m.mean) * m.inverse_deviation * float_at(c.in(1), at[0]) + bias);
      });
      if (c.has_output(1)) dispatch_float(c, c.out(1).dtype, [&]<class S>() { store(c.out(1).as<S>()[r], m.mean); });
      if (c.has_output(2))
        dispatch_float(c, c.out(2).dtype, [&]<class S>() { store(c.out(2).as<S>()[r], m.inverse_deviation); });
    }
  });
}

void ref_RMSNormalization(KernelContext& c) {
  const Shape& s = c.in(0).shape;
  const int axis = axis_of(c, -1, s.rank());
  const int64_t size = s.product(axis, s.rank()), rows = s.product(0, axis);
  Shape inner(s.dims().subspan(static_cast<size_t>(axis)));
  dispatch_float(c, c.in(0).dtype, [&]<class T>() {
    for (int64_t r = 0; r < rows; ++r) {
      const T* x = c.in(0).as<T>() + r * size;
      double squares = 0;
      for (int64_t i = 0; i < size; ++i) squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
      const double scale = 1 / std::sqrt(squares / static_cast<double>(size) + epsilon_of(c));
      for_each_index<1>(inner, {broadcast_strides(c.in(1).shape, inner)}, [&](int64_t i, const auto& at) {
        store(c.out(0).as<T>()[r * size + i], static_cast<double>(x[i]) * scale * float_at(c.in(1), at[0]));
      });
    }
  });
}

}  // namespace ingot
