// Speed of decode_row and encode_row per type. Bytes are those of the float side (4 an element).
#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

#include "tensor/block_formats.h"

namespace ingot {
namespace {

constexpr int64_t kElements = 4096;  // a row of a usual model; stays in the first-level caches

void bench_decode(benchmark::State& state, DType type) {
  std::mt19937 random(1);
  std::vector<uint8_t> bytes(dtype_bytes(type, kElements));
  for (auto& b : bytes) b = static_cast<uint8_t>(random() & 0x3f);  // scales stay finite
  std::vector<float> out(kElements);
  for (auto _ : state) {
    decode_row(type, bytes.data(), out.data(), kElements);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * kElements * 4);
}

void bench_encode(benchmark::State& state, DType type) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<float> x(kElements);
  for (float& v : x) v = normal(random);
  std::vector<uint8_t> bytes(dtype_bytes(type, kElements));
  for (auto _ : state) {
    const auto result = encode_row(type, x.data(), bytes.data(), kElements);
    if (!result) state.SkipWithError(result.error().message().c_str());
    benchmark::DoNotOptimize(bytes.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * kElements * 4);
}

const bool kRegistered = [] {
  for (int i = 0; i <= static_cast<int>(DType::kNVFP4); ++i) {
    const auto type = static_cast<DType>(i);
    const std::string name(dtype_name(type));
    if (can_decode(type)) benchmark::RegisterBenchmark(("decode/" + name).c_str(), bench_decode, type);
    if (can_encode(type)) benchmark::RegisterBenchmark(("encode/" + name).c_str(), bench_encode, type);
  }
  return true;
}();

}  // namespace
}  // namespace ingot
