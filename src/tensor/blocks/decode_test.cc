// Decoding of every block format against the goldens of tests/goldens/make_blocks.py, and of foreign bytes.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <memory>
#include <random>
#include <set>

#include "tensor/block_formats.h"
#include "tensor/blocks/golden.h"

namespace ingot {
namespace {

uint64_t hash_floats(const float* values, size_t n) {
  uint64_t h = 0xcbf29ce484222325;
  for (size_t i = 0; i < n; ++i) {
    const uint32_t bits = std::isnan(values[i]) ? 0x7fc00000 : std::bit_cast<uint32_t>(values[i]);
    h = (h ^ bits) * 0x100000001b3;
  }
  return h;
}

std::vector<DType> quantized_types() {
  std::vector<DType> types;
  for (int i = static_cast<int>(DType::kQ1_0); i <= static_cast<int>(DType::kNVFP4); ++i)
    types.push_back(static_cast<DType>(i));
  return types;
}

TEST(DecodeBlocks, every_type_gives_the_bits_of_the_gguf_package) {
  blocks::Golden golden("blocks_decode.bin");
  std::set<DType> seen;
  while (!golden.at_end() && !HasFailure()) {
    const std::string name = golden.read_name();
    const size_t elements = golden.read_u32(), count = golden.read_u32();
    const auto type = dtype_from_name(name);
    ASSERT_TRUE(type) << name;
    ASSERT_EQ(dtype_info(*type).block_elements, elements) << name;
    seen.insert(*type);
    const auto bytes = golden.read<uint8_t>(count * dtype_info(*type).block_bytes);
    const auto hashes = golden.read<uint64_t>(count);
    std::vector<float> out(count * elements);
    decode_row(*type, bytes.data(), out.data(), static_cast<int64_t>(out.size()));
    for (size_t i = 0; i < count; ++i)
      ASSERT_EQ(hash_floats(&out[i * elements], elements), hashes[i]) << name << " block " << i;
  }
  for (DType type : quantized_types()) EXPECT_TRUE(seen.contains(type)) << dtype_name(type);
  EXPECT_TRUE(seen.contains(DType::kF16) && seen.contains(DType::kBF16));
}

TEST(DecodeBlocks, knows_which_types_hold_weights) {
  for (DType type : quantized_types()) EXPECT_TRUE(can_decode(type)) << dtype_name(type);
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64}) EXPECT_TRUE(can_decode(type));
  for (DType type : {DType::kI8, DType::kI32, DType::kString, DType::kBool, DType::kC64})
    EXPECT_FALSE(can_decode(type));
}

TEST(DecodeBlocks, plain_floats_pass_through) {
  const float floats[] = {1.5f, -0.0f, 3e38f};
  const double doubles[] = {0.1, -2, 1e-320};
  float out[3];
  decode_row(DType::kF32, floats, out, 3);
  EXPECT_EQ(std::memcmp(out, floats, sizeof(out)), 0);
  decode_row(DType::kF64, doubles, out, 3);
  EXPECT_EQ(out[0], 0.1f);
  EXPECT_EQ(out[1], -2.0f);
  EXPECT_EQ(out[2], 0.0f);
}

// Under AddressSanitizer the exact-sized heap blocks catch any access outside; offset 1 misaligns the source.
TEST(DecodeBlocks, random_bytes_are_never_read_nor_written_outside) {
  std::mt19937 random(5);
  for (DType type : quantized_types())
    for (int64_t count : {1, 3})
      for (size_t offset : {0, 1}) {
        const int64_t n = count * dtype_info(type).block_elements;
        const size_t size = dtype_bytes(type, n);
        for (int fill : {0, 255, -1}) {
          std::unique_ptr<uint8_t[]> bytes(new uint8_t[size + offset]);
          for (size_t i = 0; i < size + offset; ++i) bytes[i] = static_cast<uint8_t>(fill < 0 ? random() : fill);
          std::unique_ptr<float[]> out(new float[static_cast<size_t>(n)]);
          decode_row(type, bytes.get() + offset, out.get(), n);
        }
      }
}

TEST(DecodeBlocks, scale_bytes_of_the_microscaling_formats_have_their_defined_values) {
  for (int e = 0; e < 255; ++e) {
    EXPECT_EQ(e8m0_to_float(static_cast<uint8_t>(e)), std::ldexp(1.0, e - 127));
    EXPECT_EQ(e8m0_to_float_half(static_cast<uint8_t>(e)), std::ldexp(1.0, e - 128));
  }
  EXPECT_TRUE(std::isnan(e8m0_to_float(255)));
  EXPECT_EQ(e8m0_to_float_half(255), 0x1p127f);
  for (int bits = 0; bits < 0x7f; ++bits) {
    const int e = bits >> 3, m = bits & 7;
    EXPECT_EQ(ue4m3_to_float(static_cast<uint8_t>(bits)), e ? std::ldexp(8 + m, e - 10) : std::ldexp(m, -9)) << bits;
  }
  EXPECT_EQ(ue4m3_to_float(0x7f), 0);
}

}  // namespace
}  // namespace ingot
