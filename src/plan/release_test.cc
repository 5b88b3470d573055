// Which constants a plan keeps once kernels hold packed copies.
#include <gtest/gtest.h>

#include "plan/plan.h"

namespace ingot {
namespace {

// Pretends to pack the second operand of MatMul; reads everything else at run time.
class PackingBackend : public Backend {
 public:
  std::string_view name() const override { return "packing"; }
  Support supports(const NodeView&) const override { return Support::yes(); }
  Result<Kernel> prepare(const NodeView& node, ThreadPool&) const override {
    for (ValueId v : node.node.inputs) {
      const Value& value = node.graph.value(v);
      EXPECT_TRUE(value.kind != ValueKind::kConstant || value.constant.defined());
    }
    return Kernel{
        .name = "fake", .run = [](KernelContext&) {}, .consumed_inputs = node.node.op == Op::kMatMul ? 2u : 0u};
  }
};

struct Case {
  Graph graph;
  ValueId x = graph.add_input("x", Type::of(DType::kF32, {Dim(4), Dim(128)}));
  ValueId weights = graph.add_constant("w", Tensor::allocate(DType::kF32, {128, 128}));

  void add(Op op, ValueId a, ValueId b) {
    const auto node = graph.add_node(op, {a, b});
    ASSERT_TRUE(node) << node.error().message();
    graph.add_output(graph.node(*node).outputs[0]);
  }
  std::shared_ptr<const Plan> compiled(bool keep_constants = false) {
    static const PackingBackend backend;
    ThreadPool pool(1);
    auto plan = compile(graph, {.backends = {&backend}, .pool = &pool, .keep_constants = keep_constants});
    EXPECT_TRUE(plan) << plan.error().message();
    return plan ? *plan : nullptr;
  }
  bool kept(bool keep_constants = false) {
    const auto plan = compiled(keep_constants);
    return plan && plan->graph().value(weights).constant.defined();
  }
};

TEST(Release, frees_a_constant_after_its_last_reader_packed_it) {
  Case c;
  c.add(Op::kMatMul, c.x, c.weights);
  c.add(Op::kMatMul, c.x, c.weights);
  EXPECT_FALSE(c.kept());
  EXPECT_EQ(c.compiled()->constant_bytes(), 0u);
  EXPECT_TRUE(c.kept(true));
}

TEST(Release, keeps_a_constant_that_one_reader_needs_at_run_time) {
  for (const bool packed_first : {true, false}) {
    Case c;
    const ValueId square = c.graph.add_input("y", Type::of(DType::kF32, {Dim(128), Dim(128)}));
    if (packed_first) c.add(Op::kMatMul, c.x, c.weights);
    c.add(Op::kAdd, square, c.weights);
    if (!packed_first) c.add(Op::kMatMul, c.x, c.weights);
    EXPECT_TRUE(c.kept());
    EXPECT_EQ(c.compiled()->constant_bytes(), 128u * 128 * 4);
  }
}

TEST(Release, keeps_what_is_a_result_of_the_graph) {
  Case c;
  c.add(Op::kMatMul, c.x, c.weights);
  c.graph.add_output(c.weights);
  EXPECT_TRUE(c.kept());
}

}  // namespace
}  // namespace ingot
