#include "backends/ref/ml/trees.h"

#include <gtest/gtest.h>

#include "backends/evaluate.h"
#include "backends/ref/ref.h"

namespace ingot {
namespace {

// Operands of ingot.trees; one tree: x[0] <= 1 ? leaf 0 : (x[1] <= 2 ? leaf 1 : leaf 0 of another weight).
struct Operands {
  std::vector<float> splits{1, 2};
  std::vector<int32_t> links{0, ~0, 1, 1 << 4, ~1, ~2};
  std::vector<int32_t> roots{0}, leaf_begin{0, 1, 2, 3}, targets{0, 1, 0};
  std::vector<float> weights{10, 20, 30};

  template <class T>
  static Tensor tensor(DType dtype, const std::vector<T>& v, Shape shape) {
    Tensor t = Tensor::allocate(dtype, shape);
    std::ranges::copy(v, t.mutable_as<T>());
    return t;
  }
  static Shape list(size_t n) { return Shape{static_cast<int64_t>(n)}; }
  Result<std::vector<Tensor>> run(const std::vector<float>& x, Shape shape) const {
    const std::vector<Tensor> in{tensor(DType::kF32, x, shape),
                                 tensor(DType::kF32, splits, list(splits.size())),
                                 tensor(DType::kI32, links, Shape{static_cast<int64_t>(links.size()) / 3, 3}),
                                 tensor(DType::kI32, roots, list(roots.size())),
                                 tensor(DType::kI32, leaf_begin, list(leaf_begin.size())),
                                 tensor(DType::kI32, targets, list(targets.size())),
                                 tensor(DType::kF32, weights, list(weights.size()))};
    Node node{.op = Op::kTrees, .name = "t", .attributes = {{"n_targets", int64_t{2}}}};
    for (size_t i = 0; i < in.size(); ++i) node.inputs.push_back(ValueId{static_cast<int32_t>(i)});
    node.outputs = {ValueId{7}};
    return evaluate_node(ref_backend(), node, in);
  }
  std::string error() const {
    const auto got = run({0, 0}, Shape{1, 2});
    return got ? "" : got.error().message();
  }
};

TEST(Trees, rows_walk_to_their_leaves) {
  const auto got = Operands().run({0, 0, 5, 1, 5, 9}, Shape{3, 2});
  ASSERT_TRUE(got) << got.error().message();
  const float* y = (*got)[0].as<float>();
  EXPECT_EQ(std::vector<float>(y, y + 6), (std::vector<float>{10, 0, 0, 20, 30, 0}));
}

TEST(Trees, what_is_no_tree_is_refused) {
  Operands circle;
  circle.links[2] = 0;
  EXPECT_NE(circle.error().find("not a tree"), std::string::npos) << circle.error();
  Operands shared;
  shared.links = {0, 1, 1, 1 << 4, ~1, ~2};
  EXPECT_NE(shared.error().find("not a tree"), std::string::npos) << shared.error();
  Operands node_missing;
  node_missing.links[2] = 7;
  EXPECT_NE(node_missing.error().find("leads to node 7 of 2"), std::string::npos) << node_missing.error();
  Operands leaf_missing;
  leaf_missing.links[1] = ~9;
  EXPECT_NE(leaf_missing.error().find("leads to leaf 9 of 3"), std::string::npos) << leaf_missing.error();
  Operands target;
  target.targets[1] = 2;
  EXPECT_NE(target.error().find("target 2 of 2"), std::string::npos) << target.error();
  Operands leaves;
  leaves.leaf_begin = {0, 2, 1, 3};
  EXPECT_NE(leaves.error().find("do not divide"), std::string::npos) << leaves.error();
  Operands mode;
  mode.links[0] = 7;
  EXPECT_NE(mode.error().find("mode 7"), std::string::npos) << mode.error();
  Operands feature;
  feature.links[3] = 5 << 4;
  EXPECT_NE(feature.error().find("look at 6 features"), std::string::npos) << feature.error();
}

}  // namespace
}  // namespace ingot
