// ingot.moe: like the reference in every form, the same bits for a row whatever stands beside it, and nothing read of
// experts that nobody chose.
#include <algorithm>
#include <limits>

#include "backends/cpu/ops/moe/route.h"
#include "backends/cpu/ops/op_check.h"
#include "tensor/block_formats.h"

namespace ingot {
namespace {

struct Sizes {
  int64_t tokens = 37, experts = 5, used = 2, width = 64, ffn = 48;
};

Tensor encoded(DType type, const Tensor& t) {
  Tensor out = Tensor::allocate(type, t.shape());
  const int64_t k = t.shape().at(-1);
  for (int64_t r = 0; r < t.shape().num_elements() / k; ++r) {
    auto* row = out.mutable_as<std::byte>() + static_cast<size_t>(r) * out.view().row_bytes();
    EXPECT_TRUE(encode_row(type, t.as<float>() + r * k, row, k, nullptr));
  }
  return out;
}

// One expert's matrix of a stack, as a tensor of its own.
Tensor part_of(const Tensor& stack, int64_t e) {
  TensorView v = stack.view();
  v.shape = {v.shape[1], v.shape[2]};
  v.data = v.as<std::byte>() + static_cast<size_t>(e) * v.num_bytes();
  return Tensor(v, stack.storage());
}

OpCase moe_case(const Sizes& s, DType type = DType::kF32, bool stacked = true, bool normalize = true,
                const std::string& activation = "silu") {
  OpCase k{.op = Op::kMoe,
           .attributes = {{"used", s.used}, {"normalize", int64_t{normalize}}, {"activation", activation}},
           .inputs = {random_tensor({s.tokens, s.width}, 1), random_tensor({s.tokens, s.experts}, 2, -3, 3)},
           .constants = ~3u};
  for (const Shape& shape :
       {Shape{s.experts, s.ffn, s.width}, {s.experts, s.ffn, s.width}, {s.experts, s.width, s.ffn}}) {
    const Tensor w = random_tensor(shape, static_cast<unsigned>(k.inputs.size()), -0.2f, 0.2f);
    const Tensor stack = type == DType::kF32 ? w : encoded(type, w);
    if (stacked) k.inputs.push_back(stack);
    for (int64_t e = 0; e < s.experts && !stacked; ++e) k.inputs.push_back(part_of(stack, e));
  }
  return k;
}

TEST(Moe, gives_what_the_reference_gives) {
  for (bool stacked : {false, true})
    for (bool normalize : {false, true})
      expect_like_ref(moe_case({}, DType::kF32, stacked, normalize), stacked ? "a stack" : "matrices apart");
  for (const char* activation : {"gelu", "gelu_tanh", "relu"})
    expect_like_ref(moe_case({}, DType::kF32, true, true, activation), activation);
  for (const Sizes& s : {Sizes{1, 5, 2}, {3, 1, 1}, {4, 4, 4}, {9, 40, 6, 32, 17}, {70, 3, 1, 16, 33}})
    expect_like_ref(moe_case(s, DType::kF32, s.tokens % 2 == 0), "another size");
  expect_like_ref(moe_case({}, DType::kF16), "f16");
}

TEST(Moe, is_near_the_reference_with_quantized_weights) {
  for (const DType type : {DType::kQ4_0, DType::kQ8_0, DType::kQ4_K, DType::kQ6_K}) {
    const OpCase k = moe_case({.width = 256, .ffn = 512}, type);
    const OpRun got = run_on_cpu(k, 2);
    ASSERT_EQ(got.error, "");
    Node node{.op = k.op, .attributes = k.attributes};
    for (size_t i = 0; i < k.inputs.size(); ++i) node.inputs.push_back(ValueId{static_cast<int32_t>(i)});
    node.outputs.resize(1);
    const auto want = evaluate_node(ref_backend(), node, k.inputs);
    ASSERT_TRUE(want) << want.error().message();
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < got.outputs[0].shape().num_elements(); ++i) {
      difference += std::pow(got.outputs[0].as<float>()[i] - (*want)[0].as<float>()[i], 2);
      norm += std::pow((*want)[0].as<float>()[i], 2);
    }
    EXPECT_LT(std::sqrt(difference / norm), 0.02) << dtype_name(type);  // activations are rounded to 8 bits, twice
  }
}

// The first `n` rows of operands 0 and 1 from row `first`.
OpCase rows_of(const OpCase& k, int64_t first, int64_t n) {
  OpCase out = k;
  for (size_t i : {0, 1}) {
    const int64_t width = k.inputs[i].shape()[1];
    out.inputs[i] = Tensor::allocate(DType::kF32, {n, width});
    std::copy_n(k.inputs[i].as<float>() + first * width, n * width, out.inputs[i].mutable_as<float>());
  }
  return out;
}

TEST(Moe, gives_a_row_the_same_bits_whatever_stands_beside_it) {
  const Isa before = current_isa();
  for (const Isa isa : available_isas())
    for (const DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ4_K, DType::kQ6_K}) {
      set_isa(isa);
      const Sizes s{.tokens = 41, .width = 256, .ffn = 256};
      const OpCase k = moe_case(s, type);
      const Tensor want = run_on_cpu(k, 1).outputs.at(0);
      for (int threads : {1, 3})
        for (int64_t n : {int64_t{1}, int64_t{4}, int64_t{40}})
          for (int64_t first = 0; first + n <= s.tokens; first += n + 6) {
            const Tensor got = run_on_cpu(rows_of(k, first, n), threads).outputs.at(0);
            ASSERT_EQ(0, std::memcmp(got.view().data, want.as<float>() + first * s.width, got.view().num_bytes()))
                << dtype_name(type) << " " << isa_name(isa) << ": " << n << " rows from " << first << ", " << threads
                << " threads";
          }
    }
  set_isa(before);
}

TEST(Moe, reads_no_expert_that_nobody_chose) {
  OpCase k = moe_case({});
  float* logits = const_cast<float*>(k.inputs[1].as<float>());
  for (int64_t t = 0; t < 37; ++t) logits[t * 5 + 3] = -50;
  for (size_t i : {2, 3, 4}) {
    const int64_t each = k.inputs[i].shape().num_elements() / 5;
    std::fill_n(k.inputs[i].mutable_as<float>() + 3 * each, each, std::numeric_limits<float>::quiet_NaN());
  }
  for (int threads : {1, 2}) {
    const OpRun got = run_on_cpu(k, threads);
    ASSERT_EQ(got.error, "");
    for (int64_t i = 0; i < got.outputs[0].shape().num_elements(); ++i)
      ASSERT_TRUE(std::isfinite(got.outputs[0].as<float>()[i])) << i;
  }
}

TEST(Moe, leaves_what_it_has_no_product_for_to_another_backend) {
  OpCase k = moe_case({.experts = 3}, DType::kF32, false);
  k.inputs[3] = encoded(DType::kF16, k.inputs[3]);
  EXPECT_EQ(run_on_cpu(k, 1).error, "experts have different types");
  k = moe_case({.width = 256, .ffn = 256});
  k.inputs[3] = encoded(DType::kQ4_K, k.inputs[3]);
  EXPECT_EQ(run_on_cpu(k, 1).error, "gate and up want different activations");
}

TEST(Moe, refuses_weights_that_do_not_fit) {
  const auto error = [](OpCase k) { return run_on_cpu(k, 1).error; };
  OpCase k = moe_case({});
  k.attributes.set("used", int64_t{6});
  EXPECT_NE(error(k).find("uses 6 of 5 experts"), std::string::npos) << error(k);
  k.attributes.set("used", int64_t{0});
  EXPECT_NE(error(k).find("uses 0 of 5 experts"), std::string::npos) << error(k);
  k = moe_case({});
  std::swap(k.inputs[3], k.inputs[4]);
  EXPECT_NE(error(k).find("expert weights are"), std::string::npos) << error(k);
  k = moe_case({}, DType::kF32, false);
  k.inputs.pop_back();
  EXPECT_NE(error(k).find("14 weights for 5 experts, not 15"), std::string::npos) << error(k);
}

TEST(ChooseExperts, takes_the_first_of_equal_ones_and_never_one_twice) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto chosen = [](std::vector<float> logits, int64_t used) {
    std::vector<int32_t> ids(static_cast<size_t>(used));
    std::vector<float> weights(static_cast<size_t>(used));
    choose_experts(logits.data(), static_cast<int64_t>(logits.size()), used, true, ids.data(), weights.data());
    return ids;
  };
  EXPECT_EQ(chosen({1, 3, 2, 3, 0}, 3), (std::vector{1, 3, 2}));
  EXPECT_EQ(chosen({2, 2, 2, 2}, 2), (std::vector{0, 1}));
  EXPECT_EQ(chosen({0, 1, 2, 3}, 4), (std::vector{3, 2, 1, 0}));
  for (const auto& logits : {std::vector{nan, nan, nan}, {nan, 1.f, 2.f}, {3.f, nan, 4.f}}) {
    std::vector<int32_t> ids = chosen(logits, 3);
    std::ranges::sort(ids);
    EXPECT_EQ(ids, (std::vector{0, 1, 2}));
  }
}

}  // namespace
}  // namespace ingot
