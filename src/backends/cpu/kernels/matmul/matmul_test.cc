// Every weight type on every ISA of this machine against plain code, and the bitwise rule of matmul.h.
#include "backends/cpu/kernels/matmul/matmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "backends/cpu/kernels/matmul/layout.h"
#include "tensor/block_formats.h"
#include "tensor/half.h"

namespace ingot {
namespace {

constexpr int64_t kRows = 45;

std::vector<DType> all_types() {
  std::vector<DType> types = {DType::kF32, DType::kF16, DType::kBF16};
  for (int i = static_cast<int>(DType::kQ1_0); i <= static_cast<int>(DType::kNVFP4); ++i)
    if (can_decode(static_cast<DType>(i))) types.push_back(static_cast<DType>(i));
  return types;
}

class ForceIsa {
 public:
  explicit ForceIsa(Isa isa) : before_(current_isa()) { set_isa(isa); }
  ~ForceIsa() { set_isa(before_); }

 private:
  Isa before_;
};

struct Aligned {
  explicit Aligned(size_t bytes)
      : data(static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)), std::free) {}
  std::unique_ptr<std::byte, decltype(&std::free)> data;
};

std::vector<float> random_floats(int64_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> v(static_cast<size_t>(n));
  for (float& f : v) f = normal(random);
  return v;
}

// Random bytes for the block types, except blocks that decode to something huge or not finite.
std::vector<uint8_t> random_weights(DType type, int64_t n, int64_t k, uint32_t seed) {
  std::vector<uint8_t> bytes(dtype_bytes(type, k) * static_cast<size_t>(n));
  if (!is_quantized(type)) {
    const std::vector<float> f = random_floats(n * k, seed);
    for (size_t i = 0; i < f.size(); ++i) {
      if (type == DType::kF32) std::memcpy(&bytes[4 * i], &f[i], 4);
      const uint16_t v = type == DType::kF16 ? float_to_half(f[i]) : float_to_bf16(f[i]);
      if (type != DType::kF32) std::memcpy(&bytes[2 * i], &v, 2);
    }
    return bytes;
  }
  std::mt19937 random(seed);
  const DTypeInfo& info = dtype_info(type);
  std::vector<float> decoded(static_cast<size_t>(info.block_elements));
  for (size_t at = 0; at < bytes.size(); at += static_cast<size_t>(info.block_bytes)) {
    bool fine = false;
    while (!fine) {
      for (int i = 0; i < info.block_bytes; ++i) bytes[at + i] = static_cast<uint8_t>(random());
      decode_row(type, &bytes[at], decoded.data(), info.block_elements);
      fine = true;
      for (float f : decoded) fine = fine && std::fabs(f) < 100;
    }
  }
  return bytes;
}

struct Case {
  DType type;
  int64_t n, k;
};

// One multiplication's operands, packed and quantized for an ISA.
struct Operands {
  Operands(const Case& c, Isa isa, const std::vector<uint8_t>& src, const std::vector<float>& x)
      : packed(packed_bytes(c.type, c.n, c.k, isa)),
        weights(describe_weights(c.type, c.n, c.k, isa, packed.data.get())),
        row_bytes(quantized_row_bytes(weights.act, c.k)),
        xq(row_bytes * kRows) {
    const ForceIsa force(isa);
    for (int thread = 0; thread < 3; ++thread) {
      pack_weights(weights, src.data(), packed.data.get(), thread, 3);
      quantize_rows(weights.act, x.data(), c.k, kRows, c.k, xq.data.get(), thread, 3);
    }
  }
  std::vector<float> run(int64_t row, int64_t rows, const float* bias, int num_threads) const {
    const int64_t ldy = weights.n + 3;
    std::vector<float> y(static_cast<size_t>(rows * ldy), 7);
    for (int thread = 0; thread < num_threads; ++thread)
      matmul(weights, xq.data.get() + static_cast<size_t>(row) * row_bytes, rows, y.data(), ldy, bias, thread,
             num_threads);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = weights.n; i < ldy; ++i) EXPECT_EQ(y[r * ldy + i], 7) << "wrote past n";
    std::vector<float> dense;
    for (int64_t r = 0; r < rows; ++r) dense.insert(dense.end(), y.begin() + r * ldy, y.begin() + r * ldy + weights.n);
    return dense;
  }
  Aligned packed;
  PackedWeights weights;
  size_t row_bytes;
  Aligned xq;
};

// What a quantized row stands for.
std::vector<float> dequantize(ActFormat format, const std::byte* row, int64_t k) {
  std::vector<float> x(static_cast<size_t>(k));
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(row);
  for (int64_t i = 0; i < k; ++i) {
    if (format == ActFormat::kF32) std::memcpy(&x[i], bytes + 4 * i, 4);
    if (format == ActFormat::kBf16) {
      uint16_t v;
      std::memcpy(&v, bytes + 2 * i, 2);
      x[i] = bf16_to_float(v);
    }
    if (format == ActFormat::kQ8Block32 || format == ActFormat::kQ8Block256) {
      const bool small = format == ActFormat::kQ8Block32;
      float d;
      std::memcpy(&d, bytes + (small ? mm::Act32(k).d_at + i / 32 * 4 : mm::Act256(k).d_at + i / 256 * 4), 4);
      x[i] = d * static_cast<float>(static_cast<int8_t>(bytes[i]));
    }
  }
  return x;
}

// tolerance: 2e-5 of sum(|x| * largest |w| of its block), for the rounding of k fma steps; the products
// of a block are exact. Against x itself: the int8 step, half a unit of the block's amax / 127.
void check_against_reference(const Case& c, Isa isa) {
  SCOPED_TRACE(std::string(dtype_name(c.type)) + " " + std::string(isa_name(isa)) + " n " + std::to_string(c.n) +
               " k " + std::to_string(c.k));
  const std::vector<uint8_t> src = random_weights(c.type, c.n, c.k, 1);
  const std::vector<float> x = random_floats(kRows * c.k, 2), bias = random_floats(c.n, 3);
  const Operands setup(c, isa, src, x);
  const std::vector<float> y = setup.run(0, kRows, bias.data(), 1);
  std::vector<float> w(static_cast<size_t>(c.k));
  double worst = 0, worst_plain = 0;
  for (int64_t o = 0; o < c.n; ++o) {
    decode_row(c.type, src.data() + dtype_bytes(c.type, c.k) * o, w.data(), c.k);
    for (int64_t r = 0; r < kRows; ++r) {
      const std::vector<float> xr = dequantize(setup.weights.act, setup.xq.data.get() + r * setup.row_bytes, c.k);
      double sum = bias[o], plain = bias[o], size = 1e-6 + std::fabs(sum), block_max = 0, x_squares = 0, w_squares = 0;
      for (int64_t i = 0; i < c.k; ++i) {
        if (i % 256 == 0) {
          block_max = 0;
          for (int64_t j = i; j < std::min(i + 256, c.k); ++j) block_max = std::max<double>(block_max, std::fabs(w[j]));
        }
        sum += static_cast<double>(w[i]) * xr[i];
        plain += static_cast<double>(w[i]) * x[r * c.k + i];
        size += block_max * std::fabs(xr[i]);
        x_squares += static_cast<double>(x[r * c.k + i]) * x[r * c.k + i];
        w_squares += static_cast<double>(w[i]) * w[i];
      }
      ASSERT_TRUE(std::isfinite(y[r * c.n + o])) << "row " << r << ", column " << o;
      worst = std::max(worst, std::fabs(y[r * c.n + o] - sum) / size);
      worst_plain =
          std::max(worst_plain, std::fabs(y[r * c.n + o] - plain) / (1e-6 + std::sqrt(x_squares * w_squares)));
    }
  }
  EXPECT_LT(worst, 2e-5);
  EXPECT_LT(worst_plain, 0.03);
}

void check_bitwise(const Case& c, Isa isa, float x_scale = 1) {
  SCOPED_TRACE(std::string(dtype_name(c.type)) + " " + std::string(isa_name(isa)) + " n " + std::to_string(c.n) +
               " k " + std::to_string(c.k));
  std::vector<float> x = random_floats(kRows * c.k, 5);
  for (float& v : x) v *= x_scale;
  const Operands setup(c, isa, random_weights(c.type, c.n, c.k, 4), x);
  const std::vector<float> bias = random_floats(c.n, 6);
  const std::vector<float> all = setup.run(0, kRows, bias.data(), 1);
  for (int64_t rows : {1, 2, 3, 4, 5, 8, 16, 17, 19, 24, 32, 33, 40, 45})
    for (int64_t row : {int64_t{0}, int64_t{3}, kRows - rows}) {
      if (row + rows > kRows) continue;
      for (int threads : {1, 2, 3, 4}) {
        const std::vector<float> some = setup.run(row, rows, bias.data(), threads);
        ASSERT_EQ(0, std::memcmp(some.data(), all.data() + row * c.n, some.size() * 4))
            << rows << " rows from " << row << ", " << threads << " threads";
      }
    }
}

TEST(Matmul, agrees_with_decoded_weights_on_every_isa) {
  for (Isa isa : available_isas())
    for (DType type : all_types()) {
      const int64_t block = dtype_info(type).block_elements;
      check_against_reference({type, 37, block == 1 ? 33 : block}, isa);
      check_against_reference({type, 16, 768}, isa);
      if (isa != Isa::kBaseline) check_against_reference({type, 50, 2304}, isa);  // past a panel's length
    }
}

TEST(Matmul, gives_the_same_bits_alone_and_in_any_batch_or_partition) {
  for (Isa isa : available_isas())
    for (DType type : all_types()) {
      const int64_t block = dtype_info(type).block_elements;
      check_bitwise({type, 70, block == 1 ? 33 : block}, isa);
      if (isa != Isa::kBaseline) check_bitwise({type, 39, 2560}, isa);
    }
}

TEST(Matmul, gives_the_same_bits_on_every_level_of_neon) {
  if (!isa_includes(detected_isa(), Isa::kNeonDotprod)) GTEST_SKIP() << "this machine has no two of them";
  for (DType type : all_types()) {
    const Case c{type, 50, 1024};
    const std::vector<uint8_t> src = random_weights(type, c.n, c.k, 11);
    const std::vector<float> x = random_floats(kRows * c.k, 12);
    const std::vector<float> neon = Operands(c, Isa::kNeon, src, x).run(0, kRows, nullptr, 1);
    for (Isa isa : {Isa::kNeonDotprod, Isa::kNeonI8mm}) {
      if (!isa_includes(detected_isa(), isa)) continue;
      const std::vector<float> other = Operands(c, isa, src, x).run(0, kRows, nullptr, 1);
      EXPECT_EQ(0, std::memcmp(neon.data(), other.data(), neon.size() * 4)) << dtype_name(type) << " " << isa_name(isa);
    }
  }
}

TEST(Matmul, treats_subnormal_numbers_alike_in_any_batch) {
  for (Isa isa : available_isas())
    for (float scale : {0x1p-120f, 0x1p-127f, 0x1p-132f}) check_bitwise({DType::kBF16, 39, 65}, isa, scale);
}

TEST(Matmul, has_kernels_of_its_own_for_the_common_types) {
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ5_0, DType::kQ8_0, DType::kQ4_K,
                     DType::kQ5_K, DType::kQ6_K, DType::kMXFP4, DType::kIQ2_XS, DType::kIQ4_XS, DType::kTQ2_0})
    for (Isa isa : available_isas()) EXPECT_TRUE(matmul_is_native(type, isa)) << dtype_name(type) << isa_name(isa);
  EXPECT_FALSE(matmul_is_native(DType::kNVFP4, detected_isa()));
  EXPECT_TRUE(matmul_supports(DType::kIQ2_XS, 512));
  EXPECT_FALSE(matmul_supports(DType::kIQ2_XS, 500));
  EXPECT_FALSE(matmul_supports(DType::kI32, 512));
}

TEST(Matmul, packs_into_hardly_more_than_the_source) {
  constexpr size_t kElements = 160 * 1024;
  for (DType type : all_types()) {
    const bool codes = type >= DType::kIQ1_S && type <= DType::kTQ2_0 && type != DType::kIQ4_NL;
    const size_t limit = codes ? kElements * 37 / 64 : 107 * 160 * dtype_bytes(type, 1024) / 100;
    EXPECT_LE(packed_bytes(type, 160, 1024, detected_isa()), limit) << dtype_name(type);
  }
}

// ggml's rules, written plainly.
TEST(MatmulActivations, are_quantized_as_the_plain_rules_say_and_alike_on_every_isa) {
  constexpr int64_t kK = 1024;
  std::vector<float> x = random_floats(kRows * kK, 8);
  std::fill_n(x.begin() + 256, 256, 0.0f);
  x[600] = -5, x[700] = 5;  // both signs reach the maximum: the first counts
  x[1024] = 5, x[1025] = -5;
  for (Isa isa : available_isas()) {
    const ForceIsa force(isa);
    const mm::Act32 small(kK);
    const mm::Act256 big(kK);
    Aligned q32(small.bytes * kRows), q256(big.bytes * kRows);
    for (int thread = 0; thread < 2; ++thread) {
      quantize_rows(ActFormat::kQ8Block32, x.data(), kK, kRows, kK, q32.data.get(), thread, 2);
      quantize_rows(ActFormat::kQ8Block256, x.data(), kK, kRows, kK, q256.data.get(), thread, 2);
    }
    for (int64_t b = 0; b < kRows * kK / 32; ++b) {
      const float* v = &x[b * 32];
      const uint8_t* row = reinterpret_cast<const uint8_t*>(q32.data.get()) + b / (kK / 32) * small.bytes;
      const int64_t in_row = b % (kK / 32);
      float amax = 0;
      for (int i = 0; i < 32; ++i) amax = std::max(amax, std::fabs(v[i]));
      int sum = 0;
      for (int i = 0; i < 32; ++i) {
        const int expected = amax > 0 ? static_cast<int>(std::nearbyint(v[i] * (127.0f / amax))) : 0;
        ASSERT_EQ(reinterpret_cast<const int8_t*>(row)[in_row * 32 + i], expected) << isa_name(isa) << " " << b;
        sum += expected;
      }
      const float d = half_to_float(float_to_half(amax / 127.0f));
      EXPECT_EQ(reinterpret_cast<const float*>(row + small.d_at)[in_row], d);
      EXPECT_EQ(reinterpret_cast<const int32_t*>(row + small.neg_at)[in_row], -128 * sum);
      EXPECT_EQ(reinterpret_cast<const float*>(row + small.sum_at)[in_row], d * static_cast<float>(sum));
    }
    for (int64_t b = 0; b < kRows * kK / 256; ++b) {
      const float* v = &x[b * 256];
      const uint8_t* row = reinterpret_cast<const uint8_t*>(q256.data.get()) + b / (kK / 256) * big.bytes;
      const int64_t in_row = b % (kK / 256);
      float max = 0;
      for (int i = 0; i < 256; ++i)
        if (std::fabs(v[i]) > std::fabs(max)) max = v[i];
      const float inverse = max != 0 ? -127.0f / max : 0;
      EXPECT_EQ(reinterpret_cast<const float*>(row + big.d_at)[in_row], max != 0 ? 1 / inverse : 0);
      for (int j = 0; j < 16; ++j) {
        int sum = 0;
        for (int i = 16 * j; i < 16 * j + 16; ++i) {
          const int expected = static_cast<int>(std::nearbyint(inverse * v[i]));
          ASSERT_EQ(reinterpret_cast<const int8_t*>(row)[in_row * 256 + i], expected) << isa_name(isa) << " " << b;
          sum += expected;
        }
        EXPECT_EQ(reinterpret_cast<const int32_t*>(row + big.neg_at)[in_row * 16 + j], -32 * sum);
        EXPECT_EQ(reinterpret_cast<const int16_t*>(row + big.sum16_at)[in_row * 16 + j], sum);
      }
    }
  }
}

TEST(MatmulActivations, that_are_not_finite_show_in_the_result) {
  const Case c{DType::kQ8_0, 16, 256};
  for (Isa isa : available_isas()) {
    std::vector<float> x = random_floats(kRows * c.k, 9);
    x[5] = std::numeric_limits<float>::quiet_NaN();
    x[c.k + 5] = std::numeric_limits<float>::infinity();
    const Operands setup(c, isa, random_weights(c.type, c.n, c.k, 10), x);
    const std::vector<float> y = setup.run(0, 3, nullptr, 1);
    for (int64_t o = 0; o < c.n; ++o) {
      EXPECT_FALSE(std::isfinite(y[o]));
      EXPECT_FALSE(std::isfinite(y[c.n + o]));
      EXPECT_TRUE(std::isfinite(y[2 * c.n + o]));
    }
  }
}

}  // namespace
}  // namespace ingot
