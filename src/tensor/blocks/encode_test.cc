// Encoders: bytes of the legacy types, errors of the searching types against ggml's, hard inputs.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <random>

#include "base/cpu_features.h"
#include "tensor/block_formats.h"
#include "tensor/blocks/golden.h"
#include "tensor/blocks/k_search.h"
#include "tensor/half.h"

namespace ingot {
namespace {

constexpr DType kSearching[] = {DType::kQ2_K, DType::kQ3_K,   DType::kQ4_K, DType::kQ5_K,
                                DType::kQ6_K, DType::kIQ4_NL, DType::kMXFP4};
constexpr DType kEncodable[] = {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,   DType::kQ2_K,
                                DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL, DType::kMXFP4};

std::vector<float> round_trip(DType type, const std::vector<float>& x, const float* importance = nullptr) {
  const auto n = static_cast<int64_t>(x.size());
  std::vector<uint8_t> bytes(dtype_bytes(type, n));
  const auto result = encode_row(type, x.data(), bytes.data(), n, importance);
  EXPECT_TRUE(result) << result.error().message();
  std::vector<float> out(x.size());
  decode_row(type, bytes.data(), out.data(), n);
  return out;
}

double rmse(const std::vector<float>& a, const std::vector<float>& b, const std::vector<float>& w) {
  double error = 0, weight = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += w[i] * std::pow(static_cast<double>(a[i]) - b[i], 2);
    weight += w[i];
  }
  return std::sqrt(error / weight);
}

TEST(EncodeBlocks, simple_types_give_the_bytes_of_the_gguf_package) {
  blocks::Golden golden("blocks_encode.bin");
  const auto x = golden.read<float>(golden.read_u32());
  int types = 0;
  for (; !golden.at_end() && !HasFailure(); ++types) {
    const std::string name = golden.read_name();
    const auto expected = golden.read<uint8_t>(golden.read_u32());
    const auto type = dtype_from_name(name);
    ASSERT_TRUE(type && can_encode(*type)) << name;
    std::vector<uint8_t> bytes(dtype_bytes(*type, static_cast<int64_t>(x.size())));
    ASSERT_EQ(bytes.size(), expected.size()) << name;
    ASSERT_TRUE(encode_row(*type, x.data(), bytes.data(), static_cast<int64_t>(x.size())));
    const auto block_bytes = static_cast<size_t>(dtype_info(*type).block_bytes);
    for (size_t i = 0; i < bytes.size(); ++i) ASSERT_EQ(bytes[i], expected[i]) << name << " block " << i / block_bytes;
  }
  EXPECT_EQ(types, 9);
}

TEST(EncodeBlocks, searching_types_leave_no_more_error_than_ggml) {
  blocks::Golden golden("blocks_quality.bin");
  const size_t n = golden.read_u32();
  const auto read_halves = [&] {
    std::vector<float> out;
    for (uint16_t h : golden.read<uint16_t>(n)) out.push_back(half_to_float(h));
    return out;
  };
  const auto importance = read_halves();
  std::map<std::string, std::vector<float>> sets;
  while (!golden.at_end()) {
    const std::string name = golden.read_name();
    sets[name] = read_halves();
  }
  std::ifstream lines(INGOT_SOURCE_DIR "/tests/goldens/blocks_quality.txt");
  std::string type_name, set;
  double plain = 0, weighted = 0;
  int count = 0;
  for (; lines >> type_name >> set >> plain >> weighted; ++count) {
    const DType type = *dtype_from_name(type_name);
    const auto& x = sets.at(set);
    EXPECT_LE(rmse(round_trip(type, x), x, std::vector<float>(n, 1.0f)), plain) << type_name << " " << set;
    EXPECT_LE(rmse(round_trip(type, x, importance.data()), x, importance), weighted) << type_name << " " << set;
  }
  EXPECT_EQ(count, 35);
}

#if defined(__x86_64__)
TEST(EncodeBlocks, every_instruction_set_finds_the_same_codes) {
  std::vector<blocks::KSearch> levels = {blocks::k_search_baseline()};
  if (isa_includes(detected_isa(), Isa::kAvx2)) levels.push_back(blocks::k_search_avx2());
  if (isa_includes(detected_isa(), Isa::kAvx512)) levels.push_back(blocks::k_search_avx512());
  std::mt19937 random(9);
  std::normal_distribution<float> normal;
  for (int block = 0; block < 50; ++block) {
    float x[kSuperBlock];
    for (float& v : x) v = normal(random) * (block % 5 ? 0.02f : 1e5f);
    blocks::Prepared<kSuperBlock> p;
    blocks::prepare(x, nullptr, p);
    for (const auto find : {&blocks::KSearch::q2_k, &blocks::KSearch::q4_k, &blocks::KSearch::q5_k}) {
      blocks::AffineCodes first, other;
      (levels[0].*find)(p, first);
      for (const blocks::KSearch& level : levels) {
        (level.*find)(p, other);
        ASSERT_EQ(std::memcmp(&first, &other, sizeof(first)), 0);
      }
    }
    for (const auto find : {&blocks::KSearch::q3_k, &blocks::KSearch::q6_k}) {
      blocks::SymmetricCodes first, other;
      (levels[0].*find)(p, first);
      for (const blocks::KSearch& level : levels) {
        (level.*find)(p, other);
        ASSERT_EQ(std::memcmp(&first, &other, sizeof(first)), 0);
      }
    }
  }
}
#endif

TEST(EncodeBlocks, zeros_stay_zero) {
  for (DType type : kEncodable)
    for (float v : round_trip(type, std::vector<float>(512, 0.0f))) ASSERT_EQ(v, 0) << dtype_name(type);
}

TEST(EncodeBlocks, equal_values_come_back_close) {
  for (DType type : kEncodable)
    for (float value : {1.0f, -1.0f, 0.0173f, -3000.0f, 1e-3f}) {
      const double bound = type == DType::kMXFP4 ? 0.2 : 0.07;
      for (float v : round_trip(type, std::vector<float>(256, value)))
        ASSERT_NEAR(v / value, 1, bound) << dtype_name(type) << " " << value;
    }
}

TEST(EncodeBlocks, the_error_of_an_element_is_bounded_by_the_step_of_its_type) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> x(1024);
  for (float& v : x) v = uniform(random);
  const std::map<DType, float> bounds = {{DType::kQ8_0, 0.005f}, {DType::kQ6_K, 0.05f}, {DType::kQ5_1, 0.04f},
                                         {DType::kQ5_0, 0.07f},  {DType::kQ5_K, 0.06f}, {DType::kQ4_1, 0.07f},
                                         {DType::kQ4_0, 0.13f},  {DType::kQ4_K, 0.11f}, {DType::kIQ4_NL, 0.2f},
                                         {DType::kQ3_K, 0.35f},  {DType::kQ2_K, 0.5f},  {DType::kMXFP4, 0.26f}};
  for (const auto& [type, bound] : bounds) {
    const auto y = round_trip(type, x);
    for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(y[i], x[i], bound) << dtype_name(type) << " " << i;
  }
}

TEST(EncodeBlocks, huge_tiny_and_mixed_values_stay_finite) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  for (DType type : kEncodable)
    for (float scale : {1e38f, 1e30f, 1e6f, 1e-6f, 1e-20f, 1e-38f, 1e-44f}) {
      std::vector<float> x(512);
      for (size_t i = 0; i < x.size(); ++i) x[i] = std::clamp(normal(random), -3.0f, 3.0f) * scale;
      x[7] = 3.4e38f * (scale > 1e20f);
      x[300] = -x[7];
      for (float v : round_trip(type, x)) ASSERT_TRUE(std::isfinite(v)) << dtype_name(type) << " " << scale;
    }
}

TEST(EncodeBlocks, an_outlier_among_zeros_survives) {
  for (DType type : kEncodable)
    for (float value : {5.0f, -5.0f}) {
      std::vector<float> x(256, 0.0f);
      x[100] = value;
      const auto y = round_trip(type, x);
      for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(y[i], x[i], 1.0f) << dtype_name(type) << " " << i;
    }
}

TEST(EncodeBlocks, importance_moves_the_error_away_from_what_matters) {
  std::mt19937 random(6);
  std::normal_distribution<float> normal;
  std::vector<float> x(2048), importance(2048);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = normal(random);
    importance[i] = i % 4 == 0 ? 100.0f : 1.0f;
  }
  for (DType type : kSearching)
    EXPECT_LT(rmse(round_trip(type, x, importance.data()), x, importance), rmse(round_trip(type, x), x, importance))
        << dtype_name(type);
}

TEST(EncodeBlocks, importance_of_zeros_is_as_good_as_none) {
  std::vector<float> x(256), zeros(256, 0.0f);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  for (DType type : kEncodable) EXPECT_EQ(round_trip(type, x, zeros.data()), round_trip(type, x)) << dtype_name(type);
}

TEST(EncodeBlocks, bad_input_is_refused_with_its_place_and_value) {
  std::vector<float> x(256, 1.0f);
  std::vector<uint8_t> bytes(1024);
  for (DType type : kEncodable)
    for (float bad : {NAN, HUGE_VALF, -HUGE_VALF}) {
      auto broken = x;
      broken[255] = bad;
      const auto result = encode_row(type, broken.data(), bytes.data(), 256);
      ASSERT_FALSE(result);
      EXPECT_EQ(result.error().code(), Code::kInvalidArgument);
      EXPECT_NE(result.error().message().find("element 255"), std::string::npos) << result.error().message();
      EXPECT_FALSE(encode_row(type, x.data(), bytes.data(), 256, broken.data()));
    }
  EXPECT_FALSE(encode_row(DType::kQ4_0, x.data(), bytes.data(), 33));
  EXPECT_FALSE(encode_row(DType::kQ4_K, x.data(), bytes.data(), 128));
  EXPECT_EQ(encode_row(DType::kIQ2_XXS, x.data(), bytes.data(), 256).error().code(), Code::kUnimplemented);
  EXPECT_EQ(encode_row(DType::kI32, x.data(), bytes.data(), 256).error().code(), Code::kUnimplemented);
}

}  // namespace
}  // namespace ingot
