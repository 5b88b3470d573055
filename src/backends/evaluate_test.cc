// Single nodes outside a plan: results whose size only the data tells, and what cannot be sized at all.
#include "backends/evaluate.h"

#include <gtest/gtest.h>

#include "backends/ref/ref.h"

namespace ingot {
namespace {

template <class T>
Tensor tensor(DType dtype, const Shape& shape, const std::vector<T>& values) {
  Tensor t = Tensor::allocate(dtype, shape);
  std::copy(values.begin(), values.end(), t.mutable_as<T>());
  return t;
}

Node node(Op op, int inputs) {
  Node n{.op = op, .name = "n", .outputs = {ValueId{100}}};
  for (int i = 0; i < inputs; ++i) n.inputs.push_back(ValueId{i});
  return n;
}

TEST(EvaluateNode, lets_the_kernel_size_what_only_the_data_tells) {
  const std::vector inputs = {tensor<float>(DType::kF32, {2, 3}, {0, 1, 0, 2, 0, 3})};
  const auto out = evaluate_node(ref_backend(), node(Op::kNonZero, 1), inputs);
  ASSERT_TRUE(out) << out.error().message();
  ASSERT_EQ((*out)[0].shape().to_string(), Shape({2, 3}).to_string());
  const std::vector<int64_t> got((*out)[0].as<int64_t>(), (*out)[0].as<int64_t>() + 6);
  EXPECT_EQ(got, (std::vector<int64_t>{0, 1, 1, 1, 0, 2}));
  const std::vector none = {tensor<float>(DType::kF32, {2}, {0, 0})};
  EXPECT_EQ((*evaluate_node(ref_backend(), node(Op::kNonZero, 1), none))[0].shape().num_elements(), 0);
}

TEST(EvaluateNode, refuses_a_result_that_its_operands_do_not_size) {
  const std::vector inputs = {tensor<int64_t>(DType::kI64, {2}, {0, 1}), tensor<int64_t>(DType::kI64, {2}, {3, 4}),
                              tensor<float>(DType::kF32, {2}, {0, 1})};
  const auto out = evaluate_node(ref_backend(), node(Op::kOneHot, 3), inputs);
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code(), Code::kInvalidArgument);
  EXPECT_NE(out.error().message().find("shape of result 0"), std::string::npos) << out.error().message();
}

TEST(EvaluateNode, refuses_results_over_the_limit) {
  const std::vector inputs = {tensor<int64_t>(DType::kI64, {2}, {1000, 1000})};
  EXPECT_TRUE(evaluate_node(ref_backend(), node(Op::kConstantOfShape, 1), inputs, 4000000));
  const auto out = evaluate_node(ref_backend(), node(Op::kConstantOfShape, 1), inputs, 3999999);
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code(), Code::kResourceExhausted);
}

}  // namespace
}  // namespace ingot
