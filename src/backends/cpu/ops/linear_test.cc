// ingot.linear: what it asks for fits the weights it prepared.
#include "backends/cpu/kernels/matmul/matmul.h"
#include "backends/cpu/ops/op_check.h"

namespace ingot {
namespace {

TEST(Linear, asks_for_the_scratch_of_the_level_its_weights_were_packed_for) {
  const Isa before = current_isa();
  ThreadPool pool(1);
  for (const DType type : {DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ4_K, DType::kIQ2_XS})
    for (const Isa packed_for : available_isas()) {
      set_isa(packed_for);
      Graph graph;
      const Tensor w = Tensor::allocate(type, {32, 512});
      const ValueId x = graph.add_input("x", Type::of(DType::kF32, {5, 512}));
      const auto node = graph.add_node(Op::kLinear, {x, graph.add_constant("w", w)}, 1);
      ASSERT_TRUE(node);
      const NodeView view{graph, graph.node(*node)};
      const auto kernel = cpu_backend().prepare(view, pool);
      ASSERT_TRUE(kernel) << kernel.error().message();
      const TensorView in[] = {{DType::kF32, {5, 512}, nullptr}, w.view()}, out[] = {{DType::kF32, {5, 32}, nullptr}};
      const ActFormat act = describe_weights(type, 32, 512, packed_for, nullptr).act;
      const size_t want = act == ActFormat::kF32 ? 0 : 5 * quantized_row_bytes(act, 512);
      for (const Isa now : available_isas()) {
        set_isa(now);
        EXPECT_EQ(kernel->scratch_bytes({view.node, in, out, 1, kernel->prepared.get()}), want)
            << dtype_name(type) << " packed for " << isa_name(packed_for) << ", now " << isa_name(now);
      }
    }
  set_isa(before);
}

}  // namespace
}  // namespace ingot
