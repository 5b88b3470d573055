// ingot.linear on the CPU: weights packed once (kernels/matmul), activations quantized per call.
#include "backends/backend.h"
#include "backends/cpu/ops/pack_matrix.h"

namespace ingot {
namespace {

struct Packed {
  PackedWeights weights;
  std::shared_ptr<void> memory;
};

int64_t rows_of(const TensorView& x) { return x.shape.product(0, x.shape.rank() - 1); }

int64_t work(const BoundShapes& s) { return rows_of(s.inputs[0]) * s.inputs[1].num_elements(); }

size_t scratch_bytes(const BoundShapes& s) {
  const PackedWeights& w = static_cast<const Packed*>(s.prepared)->weights;
  if (w.act == ActFormat::kF32) return 0;
  return static_cast<size_t>(rows_of(s.inputs[0])) * quantized_row_bytes(w.act, w.k);
}

void run(KernelContext& c) {
  const PackedWeights& w = static_cast<const Packed*>(c.prepared)->weights;
  const TensorView& x = c.in(0);
  const int64_t rows = rows_of(x);
  const void* act = x.data;
  if (w.act != ActFormat::kF32) {
    quantize_rows(w.act, x.as<float>(), w.k, rows, w.k, c.scratch, c.thread, c.num_threads);
    if (c.num_threads > 1) c.barrier();
    act = c.scratch;
  }
  matmul(w, act, rows, c.out(0).as<float>(), w.n, c.has_input(2) ? c.in(2).as<float>() : nullptr, c.thread,
         c.num_threads);
}

}  // namespace

Support cpu_supports_linear(const NodeView& v) {
  const Type& w = v.input_type(1);
  if (!v.constant(1)) return Support::no("the weight is not a constant");
  if (v.input_type(0).dtype != DType::kF32) return Support::no("the input is {}", v.input_type(0).to_string());
  const auto shape = w.concrete();
  if (!shape || !matmul_supports(w.dtype, (*shape)[1])) return Support::no("no kernel multiplies {}", w.to_string());
  return Support::yes();
}

Result<Kernel> cpu_prepare_linear(const NodeView& v, ThreadPool& pool) {
  const TensorView w = v.constant(1)->view();
  const Isa isa = current_isa();
  auto packed = std::make_shared<Packed>();
  const size_t bytes = packed_bytes(w.dtype, w.shape[0], w.shape[1], isa);
  const PackedStore::Piece piece = INGOT_TRY(v.packed_memory(bytes));
  packed->memory = piece.memory;
  auto* dst = static_cast<std::byte*>(packed->memory.get());
  packed->weights = describe_weights(w.dtype, w.shape[0], w.shape[1], isa, dst);
  if (!piece.filled) pack_matrix(packed->weights, w, v.graph.value(v.node.inputs[1]).file_backed, dst, pool);
  return Kernel{.name = fmt::format("linear_{}_{}", dtype_name(w.dtype),
                                    matmul_is_native(w.dtype, isa) ? isa_name(isa) : "decode"),
                .run = run,
                .prepared = packed,
                .work = work,
                .scratch_bytes = scratch_bytes,
                .consumed_inputs = 1u << 1,
                .prepared_bytes = bytes};
}

}  // namespace ingot
