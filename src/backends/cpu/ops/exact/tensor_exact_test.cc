// Casts, comparisons, integers, Where, Pad and the pooling of bytes on the CPU against the reference, bit by bit.
#include <algorithm>
#include <limits>

#include "backends/cpu/ops/op_check.h"

namespace ingot {
namespace {

template <class T>
void put(Tensor& t, std::initializer_list<T> values) {
  if (t.shape().num_elements() > static_cast<int64_t>(values.size())) std::ranges::copy(values, t.mutable_as<T>());
}

// Small integers of any type, of bool 0 and 1; among many also the ends of the type and what f32 does not hold exactly.
Tensor numbers(DType type, const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  const bool is_signed = type != DType::kU8 && type != DType::kBool;
  const int most = type == DType::kBool ? 1 : 6;
  Tensor t = Tensor::allocate(type, shape);
  for (int64_t i = 0; i < shape.num_elements(); ++i) {
    const int value = static_cast<int>(random() % static_cast<unsigned>(most + 1)) - (is_signed ? 3 : 0);
    switch (type) {
      case DType::kF32: t.mutable_as<float>()[i] = static_cast<float>(value); break;
      case DType::kI32: t.mutable_as<int32_t>()[i] = value; break;
      case DType::kI64: t.mutable_as<int64_t>()[i] = value; break;
      case DType::kI8: t.mutable_as<int8_t>()[i] = static_cast<int8_t>(value); break;
      default: t.mutable_as<uint8_t>()[i] = static_cast<uint8_t>(value);
    }
  }
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
  if (type == DType::kF32) put<float>(t, {kNan, -0.0f, kInf});
  if (type == DType::kI32) put<int32_t>(t, {INT32_MIN, INT32_MAX, (1 << 24) + 1});
  if (type == DType::kI64) put<int64_t>(t, {INT64_MIN, INT64_MAX, (1LL << 53) + 1, (1LL << 32) + 5});
  return t;
}

const std::pair<Shape, Shape> kShapes[] = {
    {Shape{7}, Shape{7}},   {Shape{2, 3, 5}, Shape{5}}, {Shape{1, 900}, Shape{4, 1}},  {Shape{3, 1, 4}, Shape{2, 1}},
    {Shape{}, Shape{3, 2}}, {Shape{0, 3}, Shape{3}},    {Shape{2, 70, 1}, Shape{1, 9}}};

TEST(TensorExact, casts_are_the_reference) {
  for (DType from : {DType::kBool, DType::kU8, DType::kI8, DType::kI32, DType::kI64})
    for (DType to : {DType::kF32, DType::kI32, DType::kI64})
      for (int64_t n : {0, 1, 5000})
        expect_like_ref({.op = Op::kCast,
                         .attributes = {{"to", std::string(dtype_name(to))}},
                         .inputs = {numbers(from, Shape{n}, 1)}},
                        "cast");
}

TEST(TensorExact, comparisons_are_the_reference) {
  for (Op op : {Op::kEqual, Op::kLess, Op::kLessOrEqual, Op::kGreater, Op::kGreaterOrEqual})
    for (DType type : {DType::kF32, DType::kI32, DType::kI64})
      for (const auto& [a, b] : kShapes)
        expect_like_ref({.op = op, .inputs = {numbers(type, a, 1), numbers(type, b, 2)}}, "comparison");
}

TEST(TensorExact, logic_and_integer_arithmetic_are_the_reference) {
  for (const auto& [a, b] : kShapes) {
    for (Op op : {Op::kAnd, Op::kOr, Op::kEqual})
      expect_like_ref({.op = op, .inputs = {numbers(DType::kBool, a, 1), numbers(DType::kBool, b, 2)}}, "logic");
    for (Op op : {Op::kAdd, Op::kSub, Op::kMul})
      for (DType type : {DType::kI32, DType::kI64})
        expect_like_ref({.op = op, .inputs = {numbers(type, a, 1), numbers(type, b, 2)}}, "arithmetic");
  }
}

TEST(TensorExact, where_is_the_reference) {
  for (DType type : {DType::kF32, DType::kI64, DType::kBool, DType::kU8})
    for (const auto& [a, b] : kShapes) {
      const Tensor one = numbers(type, Shape{1}, 3);
      expect_like_ref({.op = Op::kWhere, .inputs = {numbers(DType::kBool, a, 1), numbers(type, b, 2), one}}, "where");
      expect_like_ref({.op = Op::kWhere, .inputs = {numbers(DType::kBool, b, 1), one, numbers(type, a, 2)}}, "where");
    }
}

TEST(TensorExact, pads_are_the_reference) {
  const std::vector<std::vector<int64_t>> pads = {{0, 0, 1, 2, 0, 0, 2, 1}, {1, 0, 0, 0, 2, 1, 0, 0},
                                                  {0, 0, 0, 0, 0, 0, 0, 0}, {0, 0, -1, 3, 0, 0, 2, -2},
                                                  {0, 1, 0, 0, 0, 0, 0, 0}, {0, 0, 0, -2, 0, 0, 0, -2}};
  for (const char* mode : {"constant", "reflect", "edge", "wrap"})
    for (DType type : {DType::kF32, DType::kI64, DType::kU8})
      for (const auto& p : pads)
        expect_like_ref({.op = Op::kPad,
                         .attributes = {{"mode", std::string(mode)}},
                         .inputs = {numbers(type, Shape{2, 3, 5, 6}, 1), int_tensor(p), numbers(type, Shape{}, 2)},
                         .constants = 0b10},
                        mode);
  expect_like_ref({.op = Op::kPad,
                   .inputs = {numbers(DType::kF32, Shape{4, 9}, 1), int_tensor({2, 1}), {}, int_tensor({-1})},
                   .constants = 0b1010},
                  "axes");
}

TEST(TensorExact, pooled_bytes_are_the_reference) {
  for (DType type : {DType::kU8, DType::kI8})
    for (int64_t stride : {1, 2})
      for (int64_t dilation : {1, 2}) {
        const auto pair = [](int64_t v) { return std::vector<int64_t>{v, v}; };
        OpCase k{.op = Op::kMaxPool,
                 .attributes = {{"kernel_shape", pair(3)},
                                {"strides", pair(stride)},
                                {"dilations", pair(dilation)},
                                {"pads", std::vector<int64_t>{1, 0, 1, 2}}},
                 .inputs = {numbers(type, Shape{2, 3, 11, 13}, 4)}};
        expect_like_ref(k, "2D");
        k.attributes = {{"kernel_shape", std::vector<int64_t>{5}}, {"pads", std::vector<int64_t>{2, 2}}};
        k.inputs = {numbers(type, Shape{2, 3, 40}, 5)};
        expect_like_ref(k, "1D");
      }
}

}  // namespace
}  // namespace ingot
