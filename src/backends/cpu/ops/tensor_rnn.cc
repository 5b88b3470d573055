// LSTM and GRU on the CPU: float32, the usual activations, constant weights. One matrix product gives what the inputs
// of all steps add to the gates; then each step multiplies the state, and all threads share the gates' elements.
// Formulas: backends/ref/nn/rnn.cc. Other forms (clipping, peepholes, lengths, batch first) run there.
#include <algorithm>
#include <cmath>

#include "backends/backend.h"
#include "backends/cpu/kernels/gemm/gemm.h"
#include "backends/cpu/kernels/simd/float_isa.h"

namespace ingot {
namespace {

constexpr int64_t kGrain = 16;  // elements of a row's share: whole vectors on every machine

// The packed weights of one direction, and the biases to add to W x and to R h.
struct Direction {
  const float *input, *state, *candidate;  // W; R; GRU: R of the candidate alone, R is then that of the other gates
  std::vector<float> input_bias, state_bias;
};

struct Prepared {
  int64_t gates, hidden, width;
  bool lstm, linear, reverse, rounded;
  Isa isa;
  std::shared_ptr<void> packed;
  std::vector<Direction> directions;
};

// Where a run keeps what its steps share.
struct Buffers {
  float *input, *state, *h, *cell, *kept;
  static size_t floats(int64_t steps, int64_t batch, int64_t gates, int64_t hidden) {
    return static_cast<size_t>((steps + 1) * batch * gates * hidden + 3 * batch * hidden);
  }
  Buffers(std::byte* memory, int64_t steps, int64_t batch, int64_t gates, int64_t hidden) {
    input = reinterpret_cast<float*>(memory);
    state = input + steps * batch * gates * hidden;
    h = state + batch * gates * hidden;
    cell = h + batch * hidden;
    kept = cell + batch * hidden;
  }
};

int64_t work(const BoundShapes& s) {
  const Shape& x = s.inputs[0].shape;
  const Shape &w = s.inputs[1].shape, &r = s.inputs[2].shape;
  return x[0] * x[1] * (w.num_elements() + r.num_elements());
}

size_t scratch_bytes(const BoundShapes& s) {
  const Shape &x = s.inputs[0].shape, &r = s.inputs[2].shape;
  return gemm_scratch_bytes(s.num_threads) + 64 +
         Buffers::floats(x[0], x[1], r[1] / std::max<int64_t>(1, r[2]), r[2]) * sizeof(float);
}

struct Run {
  KernelContext& c;
  const Prepared& p;
  int64_t steps, batch;
  Buffers at;

  void line_up() const {
    if (c.num_threads > 1) c.barrier();
  }
  // out[rows, n] = a[rows, k] b + bias
  void multiply(const float* a, int64_t rows, int64_t k, const float* b, int64_t n, const float* bias, float* out,
                int64_t ldc) const {
    Gemm g{.m = rows, .n = n, .k = k};
    g.a = {.data = a, .row_step = k, .k_step = 1};
    g.b = {.packed = b};
    g.c = out;
    g.ldc = ldc;
    g.column_bias = bias;
    gemm(g, p.isa, c.scratch, c.thread, c.num_threads);
  }
  void activate(Act kind, float* x, int64_t n) const { gemm_kernels(p.isa).activate({.kind = kind}, x, n); }

  // Elements [begin, end) of one sequence's state, from its gates i, o, f, c.
  void lstm_elements(const float* x, float* r, float* h, float* cell, int64_t begin, int64_t end) const {
    const int64_t n = p.hidden, count = end - begin;
    for (int64_t g = 0; g < 4; ++g) {
      float* gate = r + g * n + begin;
      for (int64_t j = 0; j < count; ++j) gate[j] += x[g * n + begin + j];
      activate(g == 3 ? Act::kTanh : Act::kSigmoid, gate, count);
    }
    for (int64_t j = begin; j < end; ++j) h[j] = cell[j] = r[2 * n + j] * cell[j] + r[j] * r[3 * n + j];
    activate(Act::kTanh, h + begin, count);
    for (int64_t j = begin; j < end; ++j) h[j] *= r[n + j];
  }
  // Gates z and r; `kept` becomes r h, what the candidate's weights take where the reset comes before them.
  void gru_gates(const float* x, float* r, const float* h, float* kept, int64_t begin, int64_t end) const {
    const int64_t n = p.hidden, count = end - begin;
    for (int64_t g = 0; g < 2; ++g) {
      float* gate = r + g * n + begin;
      for (int64_t j = 0; j < count; ++j) gate[j] += x[g * n + begin + j];
      activate(Act::kSigmoid, gate, count);
    }
    for (int64_t j = begin; j < end; ++j) kept[j] = r[n + j] * h[j];
  }
  void gru_state(const float* x, float* r, float* h, int64_t begin, int64_t end) const {
    const int64_t n = p.hidden;
    float* candidate = r + 2 * n;
    for (int64_t j = begin; j < end; ++j)
      candidate[j] = x[2 * n + j] + (p.linear ? r[n + j] * candidate[j] : candidate[j]);
    activate(Act::kTanh, candidate + begin, end - begin);
    for (int64_t j = begin; j < end; ++j) h[j] = (1 - r[j]) * candidate[j] + r[j] * h[j];
  }
  // The states as bytes would have them (attributes.def: quantized_state), in `kept`, which an LSTM leaves free.
  void round_states() const {
    const int64_t n = p.hidden;
    for (int64_t b = c.thread; b < batch; b += c.num_threads) {
      const float* h = at.h + b * n;
      float low = 0, high = 0;
      for (int64_t j = 0; j < n; ++j) low = std::min(low, h[j]), high = std::max(high, h[j]);
      const float scale = (high - low) / 255;
      const float zero = scale == 0 ? 0 : std::nearbyint(-low / scale);
      for (int64_t j = 0; j < n; ++j)
        at.kept[b * n + j] =
            scale == 0 ? h[j] : (std::clamp(std::nearbyint(h[j] / scale) + zero, 0.0f, 255.0f) - zero) * scale;
    }
    line_up();
  }
  // Calls f(sequence, begin, end) for this thread's share of all states' elements.
  template <class F>
  void share(F f) const {
    const Range part = c.share(p.hidden, kGrain);
    for (int64_t b = 0; b < batch && part.begin < part.end; ++b) f(b, part.begin, part.end);
  }

  void step(const Direction& d, int64_t t, float* y) const {
    const int64_t n = p.hidden, wide = p.gates * n;
    const float* x = at.input + t * batch * wide;
    if (p.lstm) {
      if (p.rounded) round_states();
      multiply(p.rounded ? at.kept : at.h, batch, n, d.state, wide, d.state_bias.data(), at.state, wide);
      line_up();
      share([&](int64_t b, int64_t begin, int64_t end) {
        lstm_elements(x + b * wide, at.state + b * wide, at.h + b * n, at.cell + b * n, begin, end);
      });
    } else {
      multiply(at.h, batch, n, d.state, 2 * n, d.state_bias.data(), at.state, wide);
      if (p.linear) multiply(at.h, batch, n, d.candidate, n, d.state_bias.data() + 2 * n, at.state + 2 * n, wide);
      line_up();
      share([&](int64_t b, int64_t begin, int64_t end) {
        gru_gates(x + b * wide, at.state + b * wide, at.h + b * n, at.kept + b * n, begin, end);
      });
      if (!p.linear) {
        line_up();
        multiply(at.kept, batch, n, d.candidate, n, d.state_bias.data() + 2 * n, at.state + 2 * n, wide);
        line_up();
      }
      share([&](int64_t b, int64_t begin, int64_t end) {
        gru_state(x + b * wide, at.state + b * wide, at.h + b * n, begin, end);
      });
    }
    share([&](int64_t b, int64_t begin, int64_t end) {
      if (y) std::copy(at.h + b * n + begin, at.h + b * n + end, y + b * n + begin);
    });
    line_up();
  }
};

void run(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  const Shape& x = c.in(0).shape;
  const int64_t state = x[1] * p.hidden, wide = p.gates * p.hidden, directions = std::ssize(p.directions);
  const Run r{c, p, x[0], x[1], Buffers(c.scratch + gemm_scratch_bytes(c.num_threads), x[0], x[1], p.gates, p.hidden)};
  for (int64_t d = 0; d < directions; ++d) {
    const Direction& direction = p.directions[static_cast<size_t>(d)];
    r.multiply(c.in(0).as<float>(), x[0] * x[1], p.width, direction.input, wide, direction.input_bias.data(),
               r.at.input, wide);
    r.share([&](int64_t b, int64_t begin, int64_t end) {
      for (int64_t j = b * p.hidden + begin; j < b * p.hidden + end; ++j) {
        r.at.h[j] = c.has_input(5) ? c.in(5).as<float>()[d * state + j] : 0;
        r.at.cell[j] = c.has_input(6) ? c.in(6).as<float>()[d * state + j] : 0;
      }
    });
    r.line_up();
    for (int64_t s = 0; s < x[0]; ++s) {
      const int64_t t = p.reverse || d == 1 ? x[0] - 1 - s : s;
      r.step(direction, t, c.has_output(0) ? c.out(0).as<float>() + (t * directions + d) * state : nullptr);
    }
    r.share([&](int64_t b, int64_t begin, int64_t end) {
      const int64_t first = b * p.hidden + begin, past = b * p.hidden + end;
      if (c.has_output(1)) std::copy(r.at.h + first, r.at.h + past, c.out(1).as<float>() + d * state + first);
      if (c.has_output(2)) std::copy(r.at.cell + first, r.at.cell + past, c.out(2).as<float>() + d * state + first);
    });
    r.line_up();
  }
}

}  // namespace

Support cpu_supports_tensor_rnn(const NodeView& v) {
  const Attributes& a = v.node.attributes;
  for (int i : {0, 1, 2, 3, 5, 6})
    if (v.has_input(i) && v.input_type(i).dtype != DType::kF32) return Support::no("{}", v.input_type(i).to_string());
  for (int i : {1, 2, 3})
    if (v.has_input(i) && !v.constant(i)) return Support::no("weight {} is not a constant", i);
  if (v.has_input(4)) return Support::no("sequences have lengths of their own");
  if (v.has_input(7)) return Support::no("peepholes");
  if (a.get_int("layout") || a.get_int("input_forget")) return Support::no("layout or input_forget is set");
  if (a.has("activations") || a.has("clip")) return Support::no("activations or clip are given");
  return Support::yes();
}

Result<Kernel> cpu_prepare_tensor_rnn(const NodeView& v, ThreadPool& pool) {
  const Attributes& a = v.node.attributes;
  const TensorView w = v.constant(1)->view(), r = v.constant(2)->view();
  auto p = std::make_shared<Prepared>();
  p->lstm = v.node.op == Op::kLSTM;
  p->gates = p->lstm ? 4 : 3;
  p->hidden = r.shape[2];
  p->width = w.shape[2];
  p->linear = a.get_int("linear_before_reset") != 0;
  p->rounded = a.get_int("quantized_state") != 0;
  p->reverse = a.get_string("direction") == "reverse";
  p->isa = float_isa();
  // Of R, the columns that one product makes: all of them, or two gates and then the candidate.
  const int64_t n = p->hidden, wide = p->gates * n, first = p->lstm ? wide : 2 * n, rest = wide - first;
  const size_t for_input = gemm_packed_b_floats(wide, p->width, p->isa);
  const size_t for_first = gemm_packed_b_floats(first, n, p->isa), for_rest = gemm_packed_b_floats(rest, n, p->isa);
  const size_t bytes = static_cast<size_t>(w.shape[0]) * (for_input + for_first + for_rest) * sizeof(float);
  const PackedStore::Piece piece = INGOT_TRY(v.packed_memory(bytes));
  p->packed = piece.memory;
  float* memory = static_cast<float*>(p->packed.get());
  for (int64_t d = 0; d < w.shape[0]; ++d) {
    const auto pack = [&](const float* matrix, int64_t columns, int64_t k, size_t floats) {
      const float* packed = memory;
      if (!piece.filled)
        pool.run([&](int thread, int num_threads) {
          pack_gemm_b({.data = matrix, .k_step = 1, .column_step = k}, columns, k, p->isa, memory, thread, num_threads);
        });
      memory += floats;
      return packed;
    };
    Direction out{};
    out.input = pack(w.as<float>() + d * wide * p->width, wide, p->width, for_input);
    const float* recurrent = r.as<float>() + d * wide * n;
    out.state = pack(recurrent, first, n, for_first);
    out.candidate = rest ? pack(recurrent + first * n, rest, n, for_rest) : nullptr;
    out.input_bias.resize(static_cast<size_t>(wide));
    out.state_bias.resize(static_cast<size_t>(wide));
    if (v.has_input(3)) {
      const float* bias = v.constant(3)->as<float>() + d * 2 * wide;
      std::copy_n(bias, wide, out.input_bias.begin());
      std::copy_n(bias + wide, wide, out.state_bias.begin());
    }
    p->directions.push_back(std::move(out));
  }
  return Kernel{.name = fmt::format("{}_f32_{}", p->lstm ? "lstm" : "gru", isa_name(p->isa)),
                .run = run,
                .prepared = p,
                .work = work,
                .scratch_bytes = scratch_bytes,
                .consumed_inputs = 1u << 1 | 1u << 2,
                .prepared_bytes = bytes};
}

}  // namespace ingot
