// ingot.moe on the CPU: rows are grouped by expert, and each expert multiplies its group with kernels/matmul.
//
// A slot is one row at one of its experts; the slots of an expert lie side by side, in order of rows, so a step of any
// length reads each expert that somebody chose once, and no other. Threads share the slots' rows in the stages between
// products, and the tiles of every expert in the products. A row's result depends on that row alone: its experts come
// from its own logits, a product's bits do not depend on the group (matmul.h), and its results are summed best first.
#include <algorithm>
#include <cstring>
#include <utility>

#include "backends/backend.h"
#include "backends/cpu/ops/activation_kind.h"
#include "backends/cpu/ops/moe/route.h"
#include "backends/cpu/ops/pack_matrix.h"
#include "backends/expert_weights.h"

namespace ingot {
namespace {

constexpr ExpertPart kParts[] = {ExpertPart::kGate, ExpertPart::kUp, ExpertPart::kDown};

struct Moe {
  int64_t experts, used, width, ffn;
  bool normalize;
  rows::ActivationKind activation;
  const rows::Kernels& kernels;
  std::vector<PackedWeights> parts[3];  // by ExpertPart, then expert
  std::shared_ptr<void> memory;

  const PackedWeights& part(ExpertPart p, int64_t expert) const {
    return parts[static_cast<size_t>(p)][static_cast<size_t>(expert)];
  }
};

size_t rounded(int64_t bytes) { return (static_cast<size_t>(bytes) + 63) / 64 * 64; }

// Where everything lies in the scratch memory of a step of `tokens` rows.
struct Places {
  int64_t slots;
  size_t x_bytes, h_bytes;  // of a row, as the products take it
  // ids, weights, slot_of: [tokens, used]; begin: [threads, experts + 1]; x: [tokens]; x_slots, h: [slots] such rows;
  // wide: gate [slots, ffn] and up [slots, ffn], then down's results [slots, width].
  size_t ids, weights, slot_of, begin, x, x_slots, h, wide, bytes;

  Places(const Moe& m, int64_t tokens, int num_threads) {
    slots = tokens * m.used;
    x_bytes = quantized_row_bytes(m.part(ExpertPart::kGate, 0).act, m.width);
    h_bytes = quantized_row_bytes(m.part(ExpertPart::kDown, 0).act, m.ffn);
    size_t end = 0;
    const auto place = [&](size_t n) { return std::exchange(end, end + n); };
    ids = place(rounded(slots * 4));
    weights = place(rounded(slots * 4));
    slot_of = place(rounded(slots * 4));
    begin = place(rounded((m.experts + 1) * 4) * static_cast<size_t>(num_threads));
    x = place(rounded(tokens * static_cast<int64_t>(x_bytes)));
    x_slots = place(rounded(slots * static_cast<int64_t>(x_bytes)));
    h = place(rounded(slots * static_cast<int64_t>(h_bytes)));
    wide = place(rounded(slots * 4 * std::max(2 * m.ffn, m.width)));
    bytes = end;
  }
};

int64_t work(const BoundShapes& s) {
  const Moe& m = *static_cast<const Moe*>(s.prepared);
  return s.inputs[0].shape[0] * m.used * 3 * m.ffn * m.width;
}

size_t scratch_bytes(const BoundShapes& s) {
  return Places(*static_cast<const Moe*>(s.prepared), s.inputs[0].shape[0], s.num_threads).bytes;
}

// One run as one thread sees it.
class Run {
 public:
  explicit Run(KernelContext& c)
      : c_(c), m_(*static_cast<const Moe*>(c.prepared)), tokens_(c.in(0).shape[0]), at_(m_, tokens_, c.num_threads) {}

  void operator()() {
    choose();
    barrier();
    group();
    barrier();
    float *gate = at<float>(at_.wide), *up = gate + at_.slots * m_.ffn;
    multiply(ExpertPart::kGate, at_.x_slots, at_.x_bytes, gate);
    multiply(ExpertPart::kUp, at_.x_slots, at_.x_bytes, up);
    barrier();
    activate(gate, up);
    barrier();
    multiply(ExpertPart::kDown, at_.h, at_.h_bytes, gate);
    barrier();
    combine(gate);
  }

 private:
  template <class T>
  T* at(size_t place) const {
    return reinterpret_cast<T*>(c_.scratch + place);
  }
  void barrier() const {
    if (c_.num_threads > 1) c_.barrier();
  }
  int32_t* begin() const {
    return at<int32_t>(at_.begin + rounded((m_.experts + 1) * 4) * static_cast<size_t>(c_.thread));
  }

  // Experts of this thread's tokens, and their rows as the products take them.
  void choose() const {
    const Range mine = c_.share(tokens_);
    for (int64_t t = mine.begin; t < mine.end; ++t)
      choose_experts(c_.in(1).as<float>() + t * m_.experts, m_.experts, m_.used, m_.normalize,
                     at<int32_t>(at_.ids) + t * m_.used, at<float>(at_.weights) + t * m_.used);
    quantize_rows(m_.part(ExpertPart::kGate, 0).act, c_.in(0).as<float>(), m_.width, tokens_, m_.width,
                  at<std::byte>(at_.x), c_.thread, c_.num_threads);
  }

  // Every thread counts for itself where each expert's slots begin, and fills the slots of its own tokens.
  void group() const {
    const int32_t* ids = at<int32_t>(at_.ids);
    int32_t *first = begin(), *slot_of = at<int32_t>(at_.slot_of);
    std::fill_n(first, m_.experts + 1, 0);
    for (int64_t i = 0; i < at_.slots; ++i) ++first[ids[i] + 1];
    for (int64_t e = 0; e < m_.experts; ++e) first[e + 1] += first[e];
    const Range mine = c_.share(tokens_);
    for (int64_t i = 0; i < mine.end * m_.used; ++i) {
      const int32_t slot = first[ids[i]]++;
      if (i < mine.begin * m_.used) continue;
      slot_of[i] = slot;
      std::memcpy(at<std::byte>(at_.x_slots) + static_cast<size_t>(slot) * at_.x_bytes,
                  at<std::byte>(at_.x) + static_cast<size_t>(i / m_.used) * at_.x_bytes, at_.x_bytes);
    }
    for (int64_t i = mine.end * m_.used; i < at_.slots; ++i) ++first[ids[i]];
    // Now first[e] is where e's slots end.
  }

  // y [slots, n] = x [slots, k] by each slot's expert.
  void multiply(ExpertPart part, size_t x, size_t row_bytes, float* y) const {
    const int32_t* end = begin();
    for (int64_t e = 0; e < m_.experts; ++e) {
      const int64_t from = e ? end[e - 1] : 0, rows = end[e] - from;
      const PackedWeights& w = m_.part(part, e);
      if (rows > 0)
        matmul(w, at<std::byte>(x) + static_cast<size_t>(from) * row_bytes, rows, y + from * w.n, w.n, nullptr,
               c_.thread, c_.num_threads);
    }
  }

  void activate(float* gate, const float* up) const {
    const Range mine = c_.share(at_.slots);
    const ActFormat format = m_.part(ExpertPart::kDown, 0).act;
    for (int64_t s = mine.begin; s < mine.end; ++s) {
      float* row = gate + s * m_.ffn;
      m_.kernels.gated_activation(m_.activation, row, up + s * m_.ffn, row, m_.ffn);
      quantize_rows(format, row, m_.ffn, 1, m_.ffn, at<std::byte>(at_.h) + static_cast<size_t>(s) * at_.h_bytes, 0, 1);
    }
  }

  void combine(const float* down) const {
    const Range mine = c_.share(tokens_);
    for (int64_t t = mine.begin; t < mine.end; ++t) {
      float* y = c_.out(0).as<float>() + t * m_.width;
      for (int64_t r = 0; r < m_.used; ++r) {
        const float* row = down + at<int32_t>(at_.slot_of)[t * m_.used + r] * m_.width;
        const float weight = at<float>(at_.weights)[t * m_.used + r];
        if (r == 0)
          for (int64_t i = 0; i < m_.width; ++i) y[i] = weight * row[i];
        else
          for (int64_t i = 0; i < m_.width; ++i) y[i] += weight * row[i];
      }
    }
  }

  KernelContext& c_;
  const Moe& m_;
  const int64_t tokens_;
  const Places at_;
};

void run(KernelContext& c) { Run{c}(); }

// The operands of ExpertWeights; none if one is not a constant.
std::vector<TensorView> weight_operands(const NodeView& v) {
  std::vector<TensorView> out;
  for (int i = 2; i < static_cast<int>(v.node.inputs.size()); ++i) {
    const Tensor* t = v.constant(i);
    if (!t) return {};
    out.push_back(t->view());
  }
  return out;
}

}  // namespace

Support cpu_supports_moe(const NodeView& v) {
  const std::string activation = v.node.attributes.get_string("activation");
  if (!activation_kind(activation)) return Support::no("activation '{}'", activation);
  for (int i : {0, 1})
    if (v.input_type(i).dtype != DType::kF32) return Support::no("an input is {}", v.input_type(i).to_string());
  const std::vector<TensorView> operands = weight_operands(v);
  if (operands.empty()) return Support::no("a weight is not a constant");
  const ExpertWeights weights(operands);
  ActFormat formats[3];
  for (const ExpertPart part : kParts) {
    const TensorView first = weights.matrix(part, 0);
    if (!matmul_supports(first.dtype, first.shape[1]))
      return Support::no("no kernel multiplies {}", Type::of(first).to_string());
    for (int64_t e = 1; e < weights.count(); ++e)
      if (weights.matrix(part, e).dtype != first.dtype) return Support::no("experts have different types");
    formats[static_cast<size_t>(part)] = describe_weights(first.dtype, 1, first.shape[1], current_isa(), nullptr).act;
  }
  if (formats[0] != formats[1]) return Support::no("gate and up want different activations");
  return Support::yes();
}

Result<Kernel> cpu_prepare_moe(const NodeView& v, ThreadPool& pool) {
  const std::vector<TensorView> operands = weight_operands(v);
  const ExpertWeights weights(operands);
  const TensorView gate = weights.matrix(ExpertPart::kGate, 0), down = weights.matrix(ExpertPart::kDown, 0);
  const Isa isa = current_isa();
  auto moe = std::make_shared<Moe>(Moe{.experts = weights.count(),
                                       .used = v.node.attributes.get_int("used"),
                                       .width = gate.shape[1],
                                       .ffn = gate.shape[0],
                                       .normalize = v.node.attributes.get_int("normalize", 1) != 0,
                                       .activation = *activation_kind(v.node.attributes.get_string("activation")),
                                       .kernels = rows::kernels_for(isa)});
  size_t bytes = 0;
  for (const ExpertPart part : kParts) {
    const TensorView w = weights.matrix(part, 0);
    bytes += rounded(static_cast<int64_t>(packed_bytes(w.dtype, w.shape[0], w.shape[1], isa))) *
             static_cast<size_t>(moe->experts);
  }
  const PackedStore::Piece piece = INGOT_TRY(v.packed_memory(bytes));
  moe->memory = piece.memory;
  auto* dst = static_cast<std::byte*>(piece.memory.get());
  for (const ExpertPart part : kParts)
    for (int64_t e = 0; e < moe->experts; ++e) {
      const TensorView w = weights.matrix(part, e);
      const PackedWeights packed = describe_weights(w.dtype, w.shape[0], w.shape[1], isa, dst);
      const ValueId operand = v.node.inputs[2 + weights.operand(part, e)];
      if (!piece.filled) pack_matrix(packed, w, v.graph.value(operand).file_backed, dst, pool);
      moe->parts[static_cast<size_t>(part)].push_back(packed);
      dst += rounded(static_cast<int64_t>(packed.bytes));
    }
  const auto suffix = matmul_is_native(gate.dtype, isa) ? isa_name(isa) : std::string_view("decode");
  return Kernel{.name = fmt::format("moe_{}_{}_{}", dtype_name(gate.dtype), dtype_name(down.dtype), suffix),
                .run = run,
                .prepared = moe,
                .work = work,
                .scratch_bytes = scratch_bytes,
                .consumed_inputs = ~uint32_t{3},
                .prepared_bytes = bytes};
}

}  // namespace ingot
