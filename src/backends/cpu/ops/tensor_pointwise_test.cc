// Elementwise ops, reductions and moves of the CPU backend against the reference.
#include <limits>

#include "backends/cpu/ops/op_check.h"

namespace ingot {
namespace {

using Ints = std::vector<int64_t>;

TEST(TensorUnary, equals_the_reference) {
  const Op all[] = {Op::kRelu, Op::kLeakyRelu, Op::kSigmoid, Op::kTanh, Op::kHardSigmoid, Op::kHardSwish, Op::kSwish,
                    Op::kGelu, Op::kExp,       Op::kErf,     Op::kNeg,  Op::kAbs,         Op::kReciprocal};
  for (const Op op : all)
    for (const float range : {0.3f, 3.0f, 12.0f, 60.0f})
      expect_like_ref({op, {}, {random_tensor({3, 211}, 1, -range, range)}}, std::string(op_name(op)), 1e-6, 1);
  for (const Op op : {Op::kLog, Op::kSqrt})
    for (const float range : {1e-30f, 0.5f, 2.0f, 1e30f})
      expect_like_ref({op, {}, {random_tensor({1000}, 1, range * 1e-3f, range)}}, std::string(op_name(op)), 5e-7, 0.1);
  expect_like_ref({Op::kGelu, {{"approximate", std::string("tanh")}}, {random_tensor({500}, 1, -6, 6)}}, "gelu", 1e-6);
}

TEST(TensorUnary, is_exact_to_a_few_units_in_the_last_place) {
  const std::pair<Op, double> bounds[] = {{Op::kExp, 2e-7}, {Op::kTanh, 4e-7}};
  for (const auto& [op, bound] : bounds)
    for (const float range : {1e-3f, 0.34f, 1.0f, 9.0f, 80.0f})
      expect_like_ref({op, {}, {random_tensor({4000}, 7, -range, range)}}, std::string(op_name(op)), bound, 1e-35);
}

TEST(TensorUnary, takes_the_limits_at_infinity_and_keeps_nan) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  Tensor x = Tensor::allocate(DType::kF32, Shape{8});
  const float values[] = {kInf, -kInf, std::numeric_limits<float>::quiet_NaN(), 0, -0.0f, 1e30f, -1e30f, 100};
  std::copy(values, values + 8, x.mutable_as<float>());
  for (const Op op : {Op::kExp, Op::kLog, Op::kErf, Op::kTanh, Op::kSigmoid, Op::kRelu, Op::kSqrt, Op::kAbs})
    expect_like_ref({op, {}, {x}}, std::string(op_name(op)), 1e-6);
}

TEST(TensorUnary, clips_to_bounds_that_may_be_absent) {
  const Tensor x = random_tensor({100}, 1, -5, 5), low = random_tensor({}, 2, -2, -1),
               high = random_tensor({}, 3, 1, 2);
  expect_like_ref({Op::kClip, {}, {x, low, high}}, "both");
  expect_like_ref({Op::kClip, {}, {x, Tensor(), high}}, "high");
  expect_like_ref({Op::kClip, {}, {x, low}}, "low");
}

TEST(TensorBinary, equals_the_reference_for_every_broadcast) {
  const Shape pairs[][2] = {{{3, 5, 7}, {3, 5, 7}},
                            {{1000}, {1}},
                            {{}, {40}},
                            {{2, 6, 5, 5}, {1, 6, 1, 1}},
                            {{2, 6, 5, 5}, {6, 1, 1}},
                            {{9, 33}, {33}},
                            {{33}, {9, 33}},
                            {{4, 1, 5}, {1, 3, 1}},
                            {{2, 3, 4, 5}, {2, 3, 4, 1}},
                            {{2, 1, 4, 1}, {1, 3, 1, 5}},
                            {{0, 3}, {1, 3}},
                            {{1, 1}, {1}}};
  for (const auto& p : pairs)
    for (const Op op : {Op::kAdd, Op::kSub, Op::kMul, Op::kDiv, Op::kMax, Op::kMin})
      expect_like_ref({op, {}, {random_tensor(p[0], 1), random_tensor(p[1], 2, 0.5f, 2)}},
                      std::string(op_name(op)) + p[0].to_string() + p[1].to_string(), 1e-6);
  for (const float e : {2.0f, 0.5f}) {
    Tensor exponent = Tensor::allocate(DType::kF32, Shape{});
    *exponent.mutable_as<float>() = e;
    expect_like_ref({Op::kPow, {}, {random_tensor({7, 9}, 1, 0, 3), exponent}, 2}, "pow", 1e-6);
  }
}

// onnxruntime and the C library: (-inf)^0.5 = inf, (-0)^0.5 = 0.
TEST(TensorBinary, power_of_half_is_no_root_at_minus_infinity_and_minus_zero) {
  Tensor exponent = Tensor::allocate(DType::kF32, Shape{}), x = Tensor::allocate(DType::kF32, {19});
  *exponent.mutable_as<float>() = 0.5f;
  const float inf = std::numeric_limits<float>::infinity();
  for (int i = 0; i < 19; ++i) x.mutable_as<float>()[i] = std::array{-inf, -0.0f, inf, 4.0f, 0.0f, -1.0f}[i % 6];
  const OpRun run = run_on_cpu({Op::kPow, {}, {x, exponent}, 2}, 1);
  ASSERT_EQ(run.error, "");
  for (int i = 0; i < 19; ++i) {
    const float y = run.outputs[0].as<float>()[i], want = std::pow(x.as<float>()[i], 0.5f);
    EXPECT_TRUE(std::isnan(want) ? std::isnan(y) : y == want && std::signbit(y) == std::signbit(want))
        << i << ": " << y;
  }
}

TEST(TensorReduce, equals_the_reference) {
  const std::pair<Shape, Ints> reductions[] = {{{3, 5, 70}, {-1}},   {{2, 3, 7, 9}, {2, 3}}, {{2, 130, 3}, {1}},
                                               {{2, 3, 5, 70}, {1}}, {{4, 5}, {0}},          {{300}, {0}}};
  for (const auto& [shape, axes] : reductions)
    for (const Op op : {Op::kReduceMean, Op::kReduceSum, Op::kReduceMax})
      for (const int64_t keep : {0, 1})
        expect_like_ref({op, {{"keepdims", keep}}, {random_tensor(shape, 1), int_tensor(axes)}, 2},
                        std::string(op_name(op)) + shape.to_string(), 1e-6, 4);
  for (const Op op : {Op::kSoftmax, Op::kLogSoftmax})
    for (const int64_t axis : {0, 1, 2, -1})
      expect_like_ref({op, {{"axis", axis}}, {random_tensor({5, 70, 67}, 1, -8, 8)}}, std::string(op_name(op)), 1e-6);
  expect_like_ref({Op::kBatchNormalization,
                   {},
                   {random_tensor({2, 5, 3, 7}, 1), random_tensor({5}, 2), random_tensor({5}, 3), random_tensor({5}, 4),
                    random_tensor({5}, 5, 0.5f, 2)}},
                  "batch norm", 2e-6);
}

// The same values as elements of another size.
Tensor as_type(DType dtype, const Shape& shape) {
  Tensor t = Tensor::allocate(dtype, shape);
  const size_t bytes = t.view().num_bytes();
  for (size_t i = 0; i < bytes; ++i) t.mutable_as<uint8_t>()[i] = static_cast<uint8_t>((i * 37 + i / 251) & 0x3f);
  return t;
}

TEST(TensorMove, equals_the_reference_for_every_element_size) {
  for (const DType t : {DType::kF32, DType::kI64, DType::kF16, DType::kU8}) {
    const Tensor x = as_type(t, {2, 19, 35, 6});
    for (const Ints& perm : {Ints{0, 2, 1, 3}, Ints{0, 3, 1, 2}, Ints{0, 2, 3, 1}, Ints{3, 2, 1, 0}, Ints{0, 1, 3, 2},
                             Ints{1, 0, 2, 3}, Ints{2, 3, 0, 1}, Ints{0, 1, 2, 3}})
      expect_like_ref({Op::kTranspose, {{"perm", perm}}, {x}}, "transpose");
    expect_like_ref({Op::kTranspose, {}, {x}}, "transpose");
    for (const int64_t axis : {0, 1, 2, 3}) {
      Shape other{2, 19, 35, 6};
      other[static_cast<int>(axis)] = 4;
      expect_like_ref({Op::kConcat, {{"axis", axis}}, {x, as_type(t, other), x}}, "concat");
      expect_like_ref({Op::kSlice, {}, {x, int_tensor({1}), int_tensor({-1}), int_tensor({axis}), int_tensor({2})}, 30},
                      "slice");
      expect_like_ref({Op::kGather, {{"axis", axis}}, {x, int_tensor({1, 0, -1, 1})}}, "gather");
    }
    expect_like_ref(
        {Op::kSlice, {}, {x, int_tensor({-1, 9}), int_tensor({-30, 0}), int_tensor({1, 2}), int_tensor({-2, -1})}, 30},
        "backwards");
    OpCase split{Op::kSplit, {{"axis", int64_t{1}}}, {x, int_tensor({4, 5, 10})}, 2, 3};
    expect_like_ref(split, "split");
    expect_like_ref({Op::kExpand, {}, {as_type(t, {19, 1, 6}), int_tensor({2, 1, 35, 1})}, 2}, "expand");
  }
}

TEST(TensorMove, reports_an_index_out_of_range) {
  const OpRun run = run_on_cpu({Op::kGather, {}, {random_tensor({3, 4}, 1), int_tensor({3})}}, 1);
  EXPECT_NE(run.error.find("is not in [-3, 3)"), std::string::npos) << run.error;
}

}  // namespace
}  // namespace ingot
