// LSTM (Hochreiter, Schmidhuber 1997), GRU (Cho et al. 2014) and RNN over [T,B,I] or, with layout = 1, [B,T,I].
#include <algorithm>
#include <cmath>

#include "backends/ref/kernels.h"
#include "backends/ref/reals.h"
#include "ir/rnn_activation.h"

namespace ingot {
namespace {

using Row = std::vector<double>;

// One direction of one recurrent operator: its weights, and how its tensors are laid out.
struct Recurrence {
  const KernelContext& c;
  int64_t gates, hidden, width, steps, batch, directions;
  bool batch_first;
  Row x, w, r, bias;
  double clip;

  Recurrence(const KernelContext& context, int64_t num_gates)
      : c(context), gates(num_gates), x(reals_of(c.in(0))), w(reals_of(c.in(1))), r(reals_of(c.in(2))) {
    const Attributes& a = c.node.attributes;
    batch_first = a.get_int("layout") == 1;
    steps = c.in(0).shape[batch_first];
    batch = c.in(0).shape[!batch_first];
    width = c.in(0).shape[2];
    hidden = c.in(2).shape[2];
    directions = c.in(1).shape[0];
    bias = c.has_input(3) ? reals_of(c.in(3)) : Row(static_cast<size_t>(directions * 2 * gates * hidden));
    clip = a.has("clip") ? static_cast<double>(a.get_float("clip")) : INFINITY;
  }
  double clipped(double v) const { return std::clamp(v, -clip, clip); }
  int64_t length(int64_t b) const { return c.has_input(4) ? c.in(4).as<int32_t>()[b] : steps; }
  int64_t input_row(int64_t t, int64_t b) const { return batch_first ? b * steps + t : t * batch + b; }
  int64_t output_row(int64_t t, int64_t d, int64_t b) const {
    return batch_first ? (b * steps + t) * directions + d : (t * directions + d) * batch + b;
  }
  int64_t state_row(int64_t d, int64_t b) const { return batch_first ? b * directions + d : d * batch + b; }
  Row initial(int input, int64_t d, int64_t b) const {
    Row out(static_cast<size_t>(hidden));
    if (!c.has_input(input)) return out;
    const Row all = reals_of(c.in(input));
    std::copy_n(all.begin() + state_row(d, b) * hidden, hidden, out.begin());
    return out;
  }
  // W x + bias and R h + bias, element j of gate g.
  double from_input(int64_t d, int64_t g, int64_t j, int64_t row) const {
    const int64_t at = (d * gates + g) * hidden + j;
    double sum = bias[static_cast<size_t>(d * 2 * gates * hidden + g * hidden + j)];
    for (int64_t i = 0; i < width; ++i)
      sum += w[static_cast<size_t>(at * width + i)] * x[static_cast<size_t>(row * width + i)];
    return sum;
  }
  double from_state(int64_t d, int64_t g, int64_t j, const Row& h) const {
    const int64_t at = (d * gates + g) * hidden + j;
    double sum = bias[static_cast<size_t>(d * 2 * gates * hidden + (gates + g) * hidden + j)];
    for (int64_t i = 0; i < hidden; ++i) sum += r[static_cast<size_t>(at * hidden + i)] * h[static_cast<size_t>(i)];
    return sum;
  }
};

void store_row(const KernelContext& c, int output, int64_t row, const Row& values) {
  if (!c.has_output(output)) return;
  for (size_t i = 0; i < values.size(); ++i)
    store_real(c.out(output), row * static_cast<int64_t>(values.size()) + static_cast<int64_t>(i), values[i]);
}

// A row as DynamicQuantizeLinear's bytes have it: 256 even steps over its range, which holds 0.
Row quantized(const Row& h) {
  if (h.empty()) return h;
  const auto [least, most] = std::ranges::minmax(h);
  const double low = std::min(0.0, least), scale = (std::max(0.0, most) - low) / 255;
  if (scale == 0) return h;
  const double zero = std::clamp(std::nearbyint(-low / scale), 0.0, 255.0);
  Row out(h.size());
  for (size_t i = 0; i < h.size(); ++i)
    out[i] = (std::clamp(std::nearbyint(h[i] / scale) + zero, 0.0, 255.0) - zero) * scale;
  return out;
}

// Walks all sequences: step(direction, input row, h, cell) turns the state of one step into the next.
template <class Step>
void walk(KernelContext& c, const Recurrence& p, Step step) {
  const bool reverse = c.node.attributes.get_string("direction") == "reverse";
  const Row zeros(static_cast<size_t>(p.hidden));
  for (int64_t d = 0; d < p.directions; ++d)
    for (int64_t b = 0; b < p.batch; ++b) {
      Row h = p.initial(5, d, b), cell = p.initial(6, d, b);
      const int64_t length = p.length(b);
      if (length < 0 || length > p.steps) return invalid_data(c, fmt::format("length {} of {} steps", length, p.steps));
      for (int64_t s = 0; s < length; ++s) {
        const int64_t t = reverse || d == 1 ? length - 1 - s : s;
        step(d, p.input_row(t, b), h, cell);
        store_row(c, 0, p.output_row(t, d, b), h);
      }
      for (int64_t t = length; t < p.steps; ++t) store_row(c, 0, p.output_row(t, d, b), zeros);
      store_row(c, 1, p.state_row(d, b), h);
      store_row(c, 2, p.state_row(d, b), cell);
    }
}

size_t at(int64_t i) { return static_cast<size_t>(i); }

}  // namespace

// i, o, f = sigmoid(…), c' = tanh(…); c = f c + i c'; h = o tanh(c). Peepholes add P * c to i, f (old) and o (new).
void ref_LSTM(KernelContext& c) {
  const Recurrence p(c, 4);
  const auto act = rnn_activations(c.node.attributes, {"Sigmoid", "Tanh", "Tanh"}, at(p.directions));
  const Row peepholes = c.has_input(7) ? reals_of(c.in(7)) : Row(at(p.directions * 3 * p.hidden));
  const bool rounded = c.node.attributes.get_int("quantized_state") != 0;
  const bool coupled = c.node.attributes.get_int("input_forget") != 0;
  const int64_t n = p.hidden;
  walk(c, p, [&](int64_t d, int64_t row, Row& h, Row& cell) {
    const RnnActivation &f = act[at(d * 3)], &g = act[at(d * 3 + 1)], &last = act[at(d * 3 + 2)];
    const double* peep = peepholes.data() + d * 3 * n;
    Row next(at(n));
    const Row& used = rounded ? quantized(h) : h;
    for (int64_t j = 0; j < n; ++j) {
      const auto gate = [&](int64_t k) { return p.from_input(d, k, j, row) + p.from_state(d, k, j, used); };
      double& state = cell[at(j)];
      const double input = f(p.clipped(gate(0) + peep[j] * state));
      const double forget = coupled ? 1 - input : f(p.clipped(gate(2) + peep[2 * n + j] * state));
      state = forget * state + input * g(p.clipped(gate(3)));
      next[at(j)] = f(p.clipped(gate(1) + peep[n + j] * state)) * last(state);
    }
    h = next;
  });
}

// z, r = sigmoid(…); h' = tanh(W x + R (r h)) or, linear_before_reset, tanh(W x + r (R h)); h = (1 - z) h' + z h.
void ref_GRU(KernelContext& c) {
  const Recurrence p(c, 3);
  const auto act = rnn_activations(c.node.attributes, {"Sigmoid", "Tanh"}, at(p.directions));
  const bool linear = c.node.attributes.get_int("linear_before_reset") != 0;
  walk(c, p, [&](int64_t d, int64_t row, Row& h, Row&) {
    const RnnActivation &f = act[at(d * 2)], &g = act[at(d * 2 + 1)];
    Row reset(h.size()), kept(h.size()), next(h.size());
    for (int64_t j = 0; j < p.hidden; ++j) {
      reset[at(j)] = f(p.clipped(p.from_input(d, 1, j, row) + p.from_state(d, 1, j, h)));
      kept[at(j)] = reset[at(j)] * h[at(j)];
    }
    for (int64_t j = 0; j < p.hidden; ++j) {
      const double update = f(p.clipped(p.from_input(d, 0, j, row) + p.from_state(d, 0, j, h)));
      const double recurrent = linear ? reset[at(j)] * p.from_state(d, 2, j, h) : p.from_state(d, 2, j, kept);
      next[at(j)] = (1 - update) * g(p.clipped(p.from_input(d, 2, j, row) + recurrent)) + update * h[at(j)];
    }
    h = next;
  });
}

void ref_RNN(KernelContext& c) {
  const Recurrence p(c, 1);
  const auto act = rnn_activations(c.node.attributes, {"Tanh"}, at(p.directions));
  walk(c, p, [&](int64_t d, int64_t row, Row& h, Row&) {
    Row next(h.size());
    for (int64_t j = 0; j < p.hidden; ++j)
      next[at(j)] = act[at(d)](p.clipped(p.from_input(d, 0, j, row) + p.from_state(d, 0, j, h)));
    h = next;
  });
}

}  // namespace ingot
