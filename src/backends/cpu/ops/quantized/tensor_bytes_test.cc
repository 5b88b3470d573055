// Integer products and conversions of bytes on the CPU against the reference: the same bits.
#include "backends/cpu/ops/op_check.h"

namespace ingot {
namespace {

Tensor random_bytes(DType dtype, const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  Tensor t = Tensor::allocate(dtype, shape);
  for (int64_t i = 0; i < shape.num_elements(); ++i) t.mutable_as<uint8_t>()[i] = static_cast<uint8_t>(random());
  return t;
}

TEST(TensorBytes, matmul_integer_is_the_reference) {
  for (DType a : {DType::kU8, DType::kI8})
    for (DType b : {DType::kU8, DType::kI8})
      for (auto [m, k, n] : {std::array<int64_t, 3>{1, 1, 1}, {2, 33, 7}, {5, 64, 13}, {7, 300, 66}})
        for (int zeros : {0, 1, 2}) {
          OpCase c{.op = Op::kMatMulInteger, .attributes = {}, .constants = 0b1010};
          c.inputs = {random_bytes(a, Shape{3, m, k}, 1), random_bytes(b, Shape{k, n}, 2)};
          if (zeros) {
            c.inputs.push_back(random_bytes(a, Shape{}, 3));
            c.inputs.push_back(random_bytes(b, zeros == 1 ? Shape{1} : Shape{n}, 4));
          }
          expect_like_ref(c, fmt::format("{}x{}x{}", m, k, n));
        }
}

TEST(TensorBytes, conv_integer_is_the_reference) {
  using Ints = std::vector<int64_t>;
  const std::vector<std::pair<Attributes, Shape>> kinds{
      {{}, Shape{5, 6, 3, 3}},
      {{{"pads", Ints{1, 2, 1, 0}}, {"strides", Ints{2, 1}}}, Shape{5, 6, 3, 3}},
      {{{"group", int64_t{3}}, {"pads", Ints{1, 1, 1, 1}}}, Shape{9, 2, 3, 3}},
      {{{"group", int64_t{6}}, {"auto_pad", "SAME_UPPER"}, {"strides", Ints{2, 2}}}, Shape{6, 1, 3, 3}},
      {{{"dilations", Ints{2, 3}}, {"pads", Ints{2, 3, 2, 3}}}, Shape{4, 6, 3, 3}}};
  for (const auto& [attributes, weight] : kinds)
    for (DType w : {DType::kU8, DType::kI8}) {
      OpCase c{.op = Op::kConvInteger, .attributes = attributes, .constants = 0b1010};
      c.inputs = {random_bytes(DType::kU8, Shape{2, 6, 11, 9}, 1), random_bytes(w, weight, 2),
                  random_bytes(DType::kU8, Shape{}, 3), random_bytes(w, Shape{}, 4)};
      expect_like_ref(c, weight.to_string());
    }
}

TEST(TensorBytes, conversions_are_the_reference) {
  const Shape shape{3, 5, 77};
  for (DType bytes : {DType::kU8, DType::kI8})
    for (int64_t scales : {1, 5, 77}) {
      const Attributes axis{{"axis", int64_t{scales == 77 ? -1 : 1}}};
      const Tensor scale = random_tensor(Shape{scales}, 5, 0.01f, 0.05f), zero = random_bytes(bytes, Shape{scales}, 6);
      expect_like_ref({Op::kQuantizeLinear, axis, {random_tensor(shape, 1, -9, 9), scale, zero}}, "quantize");
      expect_like_ref({Op::kDequantizeLinear, axis, {random_bytes(bytes, shape, 2), scale, zero}}, "dequantize");
    }
  for (float low : {-3.0f, 0.5f}) {
    OpCase c{
        .op = Op::kDynamicQuantizeLinear, .attributes = {}, .inputs = {random_tensor(shape, 3, low, 2)}, .outputs = 3};
    expect_like_ref(c, "dynamic");
  }
}

}  // namespace
}  // namespace ingot
