// What language models keep from step to step in ONNX's form: RotaryEmbedding, TensorScatter, LinearAttention,
// CausalConvWithState.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"
#include "backends/ref/reals.h"

namespace ingot {

// Pairs (a, b) of every head turn into (a cos - b sin, b cos + a sin); the elements after the rotated ones stay.
void ref_RotaryEmbedding(KernelContext& c) {
  const Attributes& at = c.node.attributes;
  const TensorView& x = c.in(0);
  const bool flat = x.shape.rank() == 3, interleaved = at.get_int("interleaved") != 0;
  const int64_t length = x.shape[flat ? 1 : 2], heads = flat ? at.get_int("num_heads") : x.shape[1];
  const int64_t width = flat ? x.shape[2] / heads : x.shape[3], half = c.in(1).shape.at(-1);
  const auto in = reals_of(x), cos = reals_of(c.in(1)), sin = reals_of(c.in(2));
  store_reals(c.out(0), in);
  for (int64_t r = 0; width && r < x.num_elements() / width; ++r) {
    const int64_t b = flat ? r / heads / length : r / length / heads, s = flat ? r / heads % length : r % length;
    int64_t row = b * length + s;
    if (c.has_input(3)) {
      row = c.in(3).as<int64_t>()[row];
      if (row < 0 || row >= c.in(1).shape[0])
        return invalid_data(c, fmt::format("position {} is not in [0, {})", row, c.in(1).shape[0]));
    }
    for (int64_t i = 0; i < half; ++i) {
      const int64_t at_a = r * width + (interleaved ? 2 * i : i), at_b = interleaved ? at_a + 1 : at_a + half;
      const double p = in[static_cast<size_t>(at_a)], q = in[static_cast<size_t>(at_b)];
      const double co = cos[static_cast<size_t>(row * half + i)], si = sin[static_cast<size_t>(row * half + i)];
      store_real(c.out(0), at_a, rounded(x.dtype, co * p) - rounded(x.dtype, si * q));
      store_real(c.out(0), at_b, rounded(x.dtype, si * p) + rounded(x.dtype, co * q));
    }
  }
}

// The update's rows replace those of the cache from write_indices[batch] on.
void ref_TensorScatter(KernelContext& c) {
  const TensorView &past = c.in(0), &update = c.in(1);
  const int axis = axis_of(c, -2, past.shape.rank());
  const AxisView to(past.shape, axis), from(update.shape, axis);
  const bool circular = c.node.attributes.get_string("mode", "linear") == "circular";
  dispatch_moved(c, past.dtype, [&]<class T>() {
    T* y = c.out(0).as<T>();
    std::copy_n(past.as<T>(), past.num_elements(), y);
    for (int64_t o = 0; o < to.outer; ++o) {
      const int64_t start = c.has_input(2) ? c.in(2).as<int64_t>()[o / (to.outer / past.shape[0])] : 0;
      if (!circular && (start < 0 || start > to.size - from.size))
        return invalid_data(c, fmt::format("{} rows from {} on are not in [0, {})", from.size, start, to.size));
      for (int64_t i = 0; i < from.size; ++i) {
        const int64_t row = (start % to.size + to.size + i) % to.size;
        std::copy_n(update.as<T>() + (o * from.size + i) * to.inner, to.inner, y + (o * to.size + row) * to.inner);
      }
    }
  });
}

// Per head of values: S <- exp(g) S + k (beta (v - S^T k))^T or S + k v^T; y = scale q^T S.
// (Yang et al., "Gated Delta Networks", 2024)
void ref_LinearAttention(KernelContext& c) {
  const Attributes& at = c.node.attributes;
  const int64_t heads = at.get_int("q_num_heads"), groups = at.get_int("kv_num_heads");
  const int64_t batch = c.in(0).shape[0], length = c.in(0).shape[1];
  const int64_t keys = c.in(0).shape[2] / heads, values = c.in(2).shape[2] / groups;
  const double scale = at.get_float("scale") != 0 ? at.get_float("scale") : 1 / std::sqrt(static_cast<double>(keys));
  const auto q = reals_of(c.in(0)), k = reals_of(c.in(1)), v = reals_of(c.in(2));
  const auto decay = c.has_input(4) ? reals_of(c.in(4)) : std::vector<double>{};
  const auto beta = c.has_input(5) ? reals_of(c.in(5)) : std::vector<double>{};
  std::vector<double> state(static_cast<size_t>(keys * values)), write(static_cast<size_t>(values));
  const auto past = c.has_input(3) ? reals_of(c.in(3)) : std::vector<double>(state.size() * batch * groups);
  for (int64_t g = 0; g < batch * groups; ++g) {
    std::copy_n(past.begin() + g * keys * values, keys * values, state.begin());
    for (int64_t t = 0; t < length; ++t) {
      const int64_t step = g / groups * length + t, row = step * groups + g % groups;
      for (int64_t i = 0; i < keys && !decay.empty(); ++i) {
        const bool per_key = c.in(4).shape[2] != groups;
        const double keep = std::exp(decay[static_cast<size_t>(per_key ? row * keys + i : row)]);
        for (int64_t m = 0; m < values; ++m) state[static_cast<size_t>(i * values + m)] *= keep;
      }
      for (int64_t m = 0; m < values; ++m) {
        double& w = write[static_cast<size_t>(m)];
        w = v[static_cast<size_t>(row * values + m)];
        if (beta.empty()) continue;
        for (int64_t i = 0; i < keys; ++i)
          w -= state[static_cast<size_t>(i * values + m)] * k[static_cast<size_t>(row * keys + i)];
        w *= beta[static_cast<size_t>(c.in(5).shape[2] == 1 ? step : row)];
      }
      for (int64_t i = 0; i < keys * values; ++i)
        state[static_cast<size_t>(i)] +=
            k[static_cast<size_t>(row * keys + i / values)] * write[static_cast<size_t>(i % values)];
      for (int64_t h = g % groups * (heads / groups); h < (g % groups + 1) * (heads / groups); ++h)
        for (int64_t m = 0; m < values; ++m) {
          double sum = 0;
          for (int64_t i = 0; i < keys; ++i)
            sum += q[static_cast<size_t>((step * heads + h) * keys + i)] * state[static_cast<size_t>(i * values + m)];
          store_real(c.out(0), (step * heads + h) * values + m, scale * sum);
        }
    }
    for (int64_t i = 0; c.has_output(1) && i < keys * values; ++i)
      store_real(c.out(1), g * keys * values + i, state[static_cast<size_t>(i)]);
  }
}

// y[l] = sum over k of w[k] x[l + k - (K-1)], where positions before the first are the state's, or zero.
void ref_CausalConvWithState(KernelContext& c) {
  const Shape& s = c.in(0).shape;
  const int64_t length = s[2], kernel = c.in(1).shape[2], kept = kernel - 1;
  const auto x = reals_of(c.in(0)), w = reals_of(c.in(1));
  const auto bias = c.has_input(2) ? reals_of(c.in(2)) : std::vector<double>{};
  const auto past = c.has_input(3) ? reals_of(c.in(3)) : std::vector<double>{};
  const bool silu = c.node.attributes.get_string("activation", "none") != "none";
  for (int64_t plane = 0; plane < s[0] * s[1]; ++plane) {
    const auto at = [&](int64_t i) {  // of the padded input
      if (i >= kept) return x[static_cast<size_t>(plane * length + i - kept)];
      return past.empty() ? 0.0 : past[static_cast<size_t>(plane * kept + i)];
    };
    const int64_t channel = plane % s[1];
    for (int64_t l = 0; l < length; ++l) {
      double sum = bias.empty() ? 0 : bias[static_cast<size_t>(channel)];
      for (int64_t i = 0; i < kernel; ++i) sum += w[static_cast<size_t>(channel * kernel + i)] * at(l + i);
      sum = rounded(c.in(0).dtype, sum);
      store_real(c.out(0), plane * length + l, silu ? sum / (1 + std::exp(-sum)) : sum);
    }
    for (int64_t i = 0; c.has_output(1) && i < kept; ++i) store_real(c.out(1), plane * kept + i, at(length + i));
  }
}

}  // namespace ingot
