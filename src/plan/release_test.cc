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
  std::shared_ptr<const Plan> compiled() {
    static const PackingBackend backend;
    ThreadPool pool(1);
    auto plan = compile(graph, {.backends = {&backend}, .pool = &pool});
    EXPECT_TRUE(plan) << plan.error().message();
    return plan ? *plan : nullptr;
  }
  bool kept() {
    const auto plan = compiled();
    return plan && plan->graph().value(weights).constant.defined();
  }
};

TEST(Release, frees_a_constant_after_its_last_reader_packed_it) {
  Case c;
  c.add(Op::kMatMul, c.x, c.weights);
  c.add(Op::kMatMul, c.x, c.weights);
  EXPECT_FALSE(c.kept());
  EXPECT_EQ(c.compiled()->constant_bytes(), 0u);
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

TEST(Release, tells_how_many_bytes_of_constants_are_done) {
  static const PackingBackend backend;
  Case c;
  c.add(Op::kMatMul, c.x, c.weights);
  c.add(Op::kMatMul, c.x, c.weights);
  ThreadPool pool(1);
  std::vector<std::pair<size_t, size_t>> told;
  const auto note = [&](size_t bytes, size_t total) { told.emplace_back(bytes, total); };
  ASSERT_TRUE(compile(c.graph, {.backends = {&backend}, .pool = &pool, .on_progress = note}));
  const size_t all = 128u * 128 * 4;
  EXPECT_EQ(told, (std::vector<std::pair<size_t, size_t>>{{0, all}, {all, all}}));
}

}  // namespace
}  // namespace ingot
