// MatMul, Gemm and ingot.matmul on the CPU: float32, batched with broadcasting; a constant right operand that all
// batches share is packed once.
#include "backends/backend.h"
#include "backends/cpu/kernels/gemm/gemm.h"
#include "backends/cpu/kernels/simd/float_isa.h"
#include "backends/cpu/ops/fused_activation.h"

namespace ingot {
namespace {

struct Prepared {
  bool trans_a = false, trans_b = false;
  float alpha = 1;
  ActSpec act;
  Isa isa = Isa::kBaseline;
  std::shared_ptr<void> packed;  // the right operand, or null
};

// An operand as a batch of matrices. A vector counts as one row on the left and one column on the right.
struct Matrices {
  int64_t rows, columns, row_step, column_step;
  const Shape& shape;
  int batch_rank;

  Matrices(const Shape& s, bool left, bool transposed) : shape(s), batch_rank(s.rank() < 2 ? 0 : s.rank() - 2) {
    const int r = s.rank();
    rows = r == 1 ? (left ? 1 : s[0]) : s[r - 2];
    columns = r == 1 ? (left ? s[0] : 1) : s[r - 1];
    row_step = columns;
    column_step = 1;
    if (transposed && r > 1) {
      std::swap(rows, columns);
      std::swap(row_step, column_step);
    }
  }
  int64_t count() const { return shape.product(0, batch_rank); }
};

// Batches of the result, and which matrix of each operand batch i takes.
struct Batches {
  const Matrices &a, &b;
  const Shape& y;
  int rank;

  int64_t offset(const Matrices& m, int64_t i) const {
    if (m.count() == 1) return 0;
    int64_t at = 0, step = m.rows * m.columns;
    for (int d = rank - 1; d >= 0; --d) {
      const int own = d - (rank - m.batch_rank);
      if (own >= 0) {
        if (m.shape[own] != 1) at += i % y[d] * step;
        step *= m.shape[own];
      }
      i /= y[d];
    }
    return at;
  }
};

Gemm::Offsets offsets_of(const void* owner, int64_t i) {
  const Batches& batches = *static_cast<const Batches*>(owner);
  return {.a = batches.offset(batches.a, i),
          .b = batches.offset(batches.b, i),
          .c = i * batches.a.rows * batches.b.columns};
}

int64_t work(const BoundShapes& s) {
  const bool transposed = s.node.attributes.get_int("transA") != 0;
  return s.outputs[0].num_elements() * Matrices(s.inputs[0].shape, true, transposed).columns;
}

size_t scratch_bytes(const BoundShapes& s) { return gemm_scratch_bytes(s.num_threads); }

// The bias of Gemm and ingot.matmul, as what the kernel adds.
bool set_bias(KernelContext& c, Gemm& g) {
  if (!c.has_input(2)) return true;
  const TensorView& bias = c.in(2);
  const int64_t count = bias.num_elements();
  const Shape& s = bias.shape;
  if (count == 1)
    g.scalar_bias = *bias.as<float>();
  else if (s.rank() == 2 && s[0] == g.m && s[1] == g.n)
    g.residual = bias.as<float>();
  else if (count == g.n && (s.rank() == 1 || s[0] == 1))
    g.column_bias = bias.as<float>();
  else if (s.rank() == 2 && s[0] == g.m && s[1] == 1)
    g.row_bias = bias.as<float>();
  else
    return false;
  return true;
}

void run(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  const Matrices a(c.in(0).shape, true, p.trans_a), b(c.in(1).shape, false, p.trans_b);
  const Shape& y = c.out(0).shape;
  if (a.columns != b.rows)
    return c.fail(Status(Code::kInvalidArgument, fmt::format("[run] {} '{}': inner dimensions {} and {} differ",
                                                             op_name(c.node.op), c.node.name, a.columns, b.rows)));
  Gemm g{.m = a.rows, .n = b.columns, .k = a.columns};
  g.a = {.data = c.in(0).as<float>(), .row_step = a.row_step, .k_step = a.column_step};
  if (p.packed)
    g.b = {.packed = static_cast<const float*>(p.packed.get())};
  else
    g.b = {.data = c.in(1).as<float>(), .k_step = b.row_step, .column_step = b.column_step};
  g.c = c.out(0).as<float>();
  g.ldc = b.columns;
  g.alpha = p.alpha;
  g.act = p.act;
  const Batches batches{a, b, y, std::max(a.batch_rank, b.batch_rank)};
  g.batch = y.product(0, batches.rank);
  // Batches of the left operand against one right operand are one product of all their rows.
  if (b.count() == 1 && a.count() == g.batch && !p.trans_a) {
    g.m *= g.batch;
    g.batch = 1;
  }
  g.offsets = g.batch > 1 ? offsets_of : nullptr;
  g.owner = &batches;
  if (!set_bias(c, g))
    return c.fail(
        Status(Code::kInvalidArgument, fmt::format("[run] {} '{}': the bias {} does not fit", op_name(c.node.op),
                                                   c.node.name, c.in(2).shape.to_string())));
  gemm(g, p.isa, c.scratch, c.thread, c.num_threads);
}

}  // namespace

Support cpu_supports_tensor_matmul(const NodeView& v) {
  for (int i = 0; i < static_cast<int>(v.node.inputs.size()); ++i)
    if (v.has_input(i) && v.input_type(i).dtype != DType::kF32)
      return Support::no("operand {} is {}", i, v.input_type(i).to_string());
  for (int i : {0, 1})
    if (!v.input_type(i).ranked()) return Support::no("operand {} has no known rank", i);
  const Attributes& a = v.node.attributes;
  if (v.has_input(2) && v.node.op == Op::kGemm && a.get_float("beta", 1) != 1) return Support::no("beta is not 1");
  if (!fused_activation(a)) return Support::no("its activation");
  return Support::yes();
}

Result<Kernel> cpu_prepare_tensor_matmul(const NodeView& v, ThreadPool& pool) {
  const Attributes& at = v.node.attributes;
  auto p = std::make_shared<Prepared>();
  p->trans_a = at.get_int("transA") != 0;
  p->trans_b = at.get_int("transB") != 0;
  p->alpha = v.node.op == Op::kGemm ? at.get_float("alpha", 1) : at.get_float("scale", 1);
  p->act = v.node.op == Op::kFusedMatMul ? *fused_activation(at) : ActSpec{};
  p->isa = float_isa();
  Kernel kernel{.name = fmt::format("gemm_f32_{}", isa_name(p->isa)),
                .run = run,
                .prepared = p,
                .work = work,
                .scratch_bytes = scratch_bytes};
  const Tensor* w = v.constant(1);
  if (!w || w->shape().num_elements() == 0) return kernel;
  const Matrices b(w->shape(), false, p->trans_b);
  if (b.count() != 1) return kernel;
  const size_t bytes = gemm_packed_b_floats(b.columns, b.rows, p->isa) * sizeof(float);
  const PackedStore::Piece piece = INGOT_TRY(v.packed_memory(bytes));
  p->packed = piece.memory;
  const GemmB raw{.data = w->as<float>(), .k_step = b.row_step, .column_step = b.column_step};
  if (!piece.filled)
    pool.run([&](int thread, int num_threads) {
      pack_gemm_b(raw, b.columns, b.rows, p->isa, static_cast<float*>(p->packed.get()), thread, num_threads);
    });
  kernel.consumed_inputs = 1u << 1;
  kernel.prepared_bytes = bytes;
  return kernel;
}

}  // namespace ingot
