// Convolutions, pools and matrix products of the CPU backend against the reference.
#include "backends/cpu/ops/op_check.h"

namespace ingot {
namespace {

using Ints = std::vector<int64_t>;

struct ConvCase {
  Shape x, w;
  Ints strides, pads, dilations;
  int64_t group = 1;
  std::string auto_pad = "NOTSET";
};

std::vector<ConvCase> conv_cases() {
  return {
      {{1, 3, 19, 23}, {8, 3, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
      {{2, 5, 33, 17}, {7, 5, 3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}},
      {{1, 3, 40, 37}, {16, 3, 7, 7}, {2, 2}, {3, 3, 3, 3}, {1, 1}},
      {{2, 40, 14, 14}, {33, 40, 1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}},
      {{1, 9, 7, 7}, {300, 9, 1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}},
      {{1, 16, 15, 15}, {20, 16, 1, 1}, {2, 2}, {0, 0, 0, 0}, {1, 1}},
      {{1, 70, 7, 7}, {15, 70, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
      {{1, 16, 12, 20}, {17, 16, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
      {{2, 19, 37, 71}, {30, 19, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
      {{1, 24, 15, 17}, {16, 24, 3, 3}, {1, 1}, {0, 0, 0, 0}, {1, 1}},
      {{1, 16, 13, 250}, {16, 16, 3, 3}, {1, 1}, {2, 0, 1, 2}, {1, 1}},
      {{1, 300, 12, 13}, {20, 300, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
      {{1, 8, 20, 21}, {6, 8, 3, 3}, {3, 3}, {1, 1, 1, 1}, {1, 1}},
      {{1, 8, 20, 21}, {6, 8, 3, 3}, {1, 1}, {2, 2, 2, 2}, {2, 2}},
      {{1, 4, 6, 6}, {5, 4, 5, 5}, {1, 1}, {4, 4, 4, 4}, {1, 1}},
      {{1, 12, 11, 13}, {8, 3, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 4},
      {{2, 10, 20, 35}, {10, 1, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 10},
      {{2, 10, 21, 35}, {10, 1, 3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 10},
      {{1, 10, 20, 90}, {10, 1, 3, 3}, {2, 2}, {0, 1, 1, 0}, {1, 1}, 10},
      {{1, 6, 30, 91}, {6, 1, 5, 5}, {2, 2}, {2, 1, 2, 2}, {1, 1}, 6},
      {{1, 6, 30, 91}, {6, 1, 5, 5}, {1, 1}, {0, 2, 1, 2}, {1, 1}, 6},
      {{1, 6, 20, 20}, {6, 1, 5, 5}, {2, 2}, {2, 2, 2, 2}, {1, 1}, 6},
      {{1, 6, 20, 20}, {12, 1, 5, 5}, {1, 1}, {2, 2, 2, 2}, {1, 1}, 6},
      {{1, 6, 30, 300}, {6, 1, 7, 7}, {1, 1}, {3, 3, 3, 3}, {1, 1}, 6},
      {{1, 4, 20, 20}, {4, 1, 3, 3}, {3, 3}, {0, 1, 2, 1}, {2, 2}, 4},
      {{1, 4, 20, 20}, {4, 1, 3, 3}, {2, 1}, {1, 1, 1, 1}, {1, 1}, 4},
      {{1, 5, 10, 11}, {6, 5, 3, 3}, {2, 2}, {}, {}, 1, "SAME_UPPER"},
      {{1, 5, 10, 11}, {6, 5, 4, 4}, {1, 1}, {}, {}, 1, "SAME_LOWER"},
      {{2, 5, 50}, {6, 5, 3}, {1}, {1, 1}, {1}},
      {{1, 8, 50}, {8, 1, 3}, {2}, {1, 1}, {1}, 8},
  };
}

Attributes attributes_of(const ConvCase& c) {
  Attributes a{{"group", c.group}};
  a.set("strides", c.strides);
  if (!c.pads.empty()) a.set("pads", c.pads);
  if (!c.dilations.empty()) a.set("dilations", c.dilations);
  a.set("auto_pad", c.auto_pad);
  return a;
}

TEST(TensorConv, equals_the_reference_for_every_kind_of_window) {
  for (const ConvCase& c : conv_cases()) {
    OpCase k{Op::kConv, attributes_of(c), {random_tensor(c.x, 1), random_tensor(c.w, 2)}, 2};
    const std::string what = c.x.to_string() + " " + c.w.to_string();
    const double scale = std::sqrt(static_cast<double>(c.w.product(1, c.w.rank())));
    expect_like_ref(k, what, 2e-6, scale);
    k.inputs.push_back(random_tensor(Shape{c.w[0]}, 3));
    k.constants |= 4;
    expect_like_ref(k, what + " bias", 2e-6, scale);
  }
}

TEST(TensorConv, applies_residual_and_every_activation) {
  for (const char* name :
       {"none", "relu", "leaky_relu", "sigmoid", "tanh", "clip", "hard_sigmoid", "hard_swish", "silu"})
    for (const auto& [x, w] : {std::pair(Shape{2, 9, 11, 13}, Shape{9, 9, 3, 3}),
                               {Shape{2, 9, 11, 13}, Shape{9, 1, 3, 3}},
                               {Shape{2, 16, 11, 13}, Shape{16, 16, 3, 3}}})
      for (const bool residual : {false, true}) {
        Attributes a{{"pads", Ints{1, 1, 1, 1}}, {"activation", std::string(name)}};
        a.set("alpha", std::string(name) == "clip" ? -0.5f : 0.3f);
        a.set("beta", 0.4f);
        a.set("group", x[1] / w[1]);
        OpCase k{Op::kFusedConv, a, {random_tensor(x, 1), random_tensor(w, 2), random_tensor({w[0]}, 3)}, 6};
        if (residual) k.inputs.push_back(random_tensor(x, 4));
        expect_like_ref(k, name, 4e-6, 3);
      }
}

TEST(TensorConv, gives_an_image_the_same_bits_alone_and_in_a_batch) {
  for (const ConvCase& c : conv_cases()) {
    Shape one = c.x, three = c.x;
    one[0] = 1;
    three[0] = 3;
    const Tensor batch = random_tensor(three, 5), w = random_tensor(c.w, 6);
    const int64_t size = one.num_elements();
    const OpRun all = run_on_cpu({Op::kConv, attributes_of(c), {batch, w}, 2}, 2);
    ASSERT_EQ(all.error, "");
    for (int64_t i = 0; i < 3; ++i) {
      Tensor image = Tensor::allocate(DType::kF32, one);
      std::copy_n(batch.as<float>() + i * size, size, image.mutable_as<float>());
      const OpRun alone = run_on_cpu({Op::kConv, attributes_of(c), {image, w}, 2}, 1);
      const int64_t out = alone.outputs[0].shape().num_elements();
      ASSERT_EQ(0, std::memcmp(alone.outputs[0].as<float>(), all.outputs[0].as<float>() + i * out,
                               static_cast<size_t>(out) * sizeof(float)))
          << c.x.to_string() << c.w.to_string();
    }
  }
}

TEST(TensorPool, equals_the_reference) {
  struct Pool {
    Shape x;
    Ints kernel, strides, pads;
    int64_t ceil = 0, count = 0;
  };
  const Pool pools[] = {{{2, 5, 23, 37}, {3, 3}, {2, 2}, {1, 1, 1, 1}},
                        {{1, 3, 20, 20}, {2, 2}, {2, 2}, {0, 0, 0, 0}},
                        {{1, 3, 20, 21}, {3, 3}, {1, 1}, {1, 1, 1, 1}},
                        {{1, 3, 21, 20}, {2, 2}, {2, 2}, {0, 0, 0, 0}, 1},
                        {{1, 3, 21, 20}, {3, 3}, {2, 2}, {1, 1, 1, 1}, 1, 1},
                        {{1, 3, 21, 20}, {5, 3}, {2, 3}, {1, 0, 1, 1}, 0, 1},
                        {{2, 3, 50}, {3}, {2}, {1, 1}}};
  for (const Pool& p : pools)
    for (const Op op : {Op::kMaxPool, Op::kAveragePool}) {
      Attributes a{{"kernel_shape", p.kernel}, {"strides", p.strides}, {"pads", p.pads}, {"ceil_mode", p.ceil}};
      if (op == Op::kAveragePool) a.set("count_include_pad", p.count);
      expect_like_ref({op, a, {random_tensor(p.x, 1)}}, p.x.to_string());
    }
  expect_like_ref({Op::kGlobalAveragePool, {}, {random_tensor({2, 5, 7, 7}, 1)}}, "global");
  expect_like_ref({Op::kGlobalAveragePool, {}, {random_tensor({1, 3, 40, 41}, 1)}}, "global");
}

TEST(TensorConvTranspose, equals_the_reference) {
  const auto check = [](const Shape& x, const Shape& w, Attributes a) {
    OpCase k{Op::kConvTranspose, std::move(a), {random_tensor(x, 1), random_tensor(w, 2)}, 2};
    expect_like_ref(k, x.to_string() + w.to_string(), 2e-6, 8);
  };
  check({2, 6, 7, 9}, {6, 5, 2, 2}, {{"strides", Ints{2, 2}}});
  check({1, 6, 7, 9}, {6, 5, 3, 3},
        {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}, {"output_padding", Ints{1, 1}}});
  check({1, 6, 7, 9}, {6, 2, 3, 3}, {{"group", int64_t{3}}, {"dilations", Ints{2, 1}}});
  check({1, 6, 7, 9}, {6, 2, 4, 4}, {{"strides", Ints{3, 2}}, {"auto_pad", std::string("SAME_UPPER")}});
  check({1, 6, 9}, {6, 2, 4}, {{"strides", Ints{2}}});
}

TEST(TensorResize, equals_the_reference) {
  for (const char* mode : {"nearest", "linear"})
    for (const char* coordinates :
         {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "tf_half_pixel_for_nn"})
      for (const char* nearest : {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"})
        for (const Ints& sizes : {Ints{2, 3, 14, 22}, Ints{2, 3, 4, 5}, Ints{2, 3, 7, 33}, Ints{2, 3, 1, 1}}) {
          const Attributes a{{"mode", std::string(mode)},
                             {"coordinate_transformation_mode", std::string(coordinates)},
                             {"nearest_mode", std::string(nearest)}};
          OpCase k{Op::kResize, a, {random_tensor({2, 3, 7, 11}, 1), Tensor(), Tensor(), int_tensor(sizes)}, 8};
          expect_like_ref(k, std::string(mode) + coordinates + nearest, 1e-5);
        }
}

TEST(TensorMatMul, equals_the_reference_with_broadcast_batches) {
  const Shape pairs[][2] = {{{5, 7}, {7, 9}},        {{2, 3, 5, 7}, {2, 3, 7, 40}},
                            {{2, 3, 5, 7}, {7, 33}}, {{3, 5, 7}, {2, 1, 7, 9}},
                            {{1, 5, 7}, {4, 7, 9}},  {{7}, {7, 9}},
                            {{2, 5, 7}, {7}},        {{7}, {7}},
                            {{64, 300}, {300, 70}},  {{2, 1, 5, 7}, {3, 7, 9}},
                            {{4, 1, 7}, {7, 50}},    {{0, 7}, {7, 3}}};
  for (const auto& p : pairs)
    for (uint32_t constants : {0u, 2u})
      expect_like_ref({Op::kMatMul, {}, {random_tensor(p[0], 1), random_tensor(p[1], 2)}, constants},
                      p[0].to_string() + p[1].to_string(), 2e-6, 8);
}

TEST(TensorMatMul, equals_the_reference_with_transposes_bias_and_activation) {
  for (int form = 0; form < 4; ++form)
    for (uint32_t constants : {0u, 2u}) {
      const Shape a = form & 1 ? Shape{70, 21} : Shape{21, 70}, b = form & 2 ? Shape{45, 70} : Shape{70, 45};
      Attributes at{{"transA", int64_t{form & 1}}, {"transB", int64_t{form >> 1}}};
      OpCase k{Op::kGemm, at, {random_tensor(a, 1), random_tensor(b, 2)}, constants};
      k.attributes.set("alpha", 0.5f);
      for (const Shape& bias : {Shape{45}, Shape{1, 45}, Shape{21, 1}, Shape{21, 45}, Shape{}, Shape{1}}) {
        k.inputs.resize(2);
        k.inputs.push_back(random_tensor(bias, 3));
        expect_like_ref(k, "gemm " + bias.to_string(), 2e-6, 8);
      }
      for (const char* name : {"none", "relu", "gelu", "gelu_tanh", "tanh", "sigmoid", "silu"}) {
        k.op = Op::kFusedMatMul;
        k.attributes = at;
        k.attributes.set("scale", 0.25f);
        k.attributes.set("activation", std::string(name));
        k.inputs.resize(2);
        k.inputs.push_back(random_tensor({45}, 3));
        expect_like_ref(k, name, 2e-6, 8);
      }
    }
}

TEST(TensorPool, gives_nan_where_a_window_holds_one) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
  Attributes a{{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 1}}, {"pads", Ints{1, 1, 1, 1}}};
  Tensor x = random_tensor({1, 2, 17, 40}, 1);
  float* p = x.mutable_as<float>();
  for (const int64_t at : {0, 39, 45, 300, 679, 700}) p[at] = kNan;
  p[44] = p[46] = p[301] = kInf;
  p[60] = -kInf;
  expect_like_ref({Op::kMaxPool, a, {x}}, "NaN");
  const OpRun run = run_on_cpu({Op::kMaxPool, a, {x}}, 1);
  EXPECT_TRUE(std::isnan(run.outputs[0].as<float>()[0]));
  EXPECT_TRUE(std::isnan(run.outputs[0].as<float>()[44]));  // row 2 of the input is in the second window too
}

}  // namespace
}  // namespace ingot
