// The table of codecs, the plain float types, and the checks that stand before every encoder.
#include "tensor/block_formats.h"

#include <array>
#include <bit>
#include <cstring>

#include "tensor/blocks/codec.h"
#include "tensor/half.h"

namespace ingot {
namespace {

using blocks::Codec;

// A plain type: one element at a time through memcpy, which the compiler turns into vector loads.
template <class T, float (*kToFloat)(T)>
void decode_plain(const void* src, float* dst, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    T v;
    std::memcpy(&v, static_cast<const char*>(src) + i * sizeof(T), sizeof(T));
    dst[i] = kToFloat(v);
  }
}
template <class T, T (*kFromFloat)(float)>
void encode_plain(const float* src, const float*, void* dst, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const T v = kFromFloat(src[i]);
    std::memcpy(static_cast<char*>(dst) + i * sizeof(T), &v, sizeof(T));
  }
}

float same(float v) { return v; }
float narrow(double v) { return static_cast<float>(v); }
double widen(float v) { return v; }

Codec find_codec(DType type) {
  switch (type) {
    case DType::kF32: return {decode_plain<float, same>, encode_plain<float, same>};
    case DType::kF64: return {decode_plain<double, narrow>, encode_plain<double, widen>};
    case DType::kF16: return {decode_plain<uint16_t, half_to_float>, encode_plain<uint16_t, float_to_half>};
    case DType::kBF16: return {decode_plain<uint16_t, bf16_to_float>, encode_plain<uint16_t, float_to_bf16>};
    default: break;
  }
  for (auto family :
       {blocks::legacy_codec, blocks::k_codec, blocks::iq_codec, blocks::ternary_codec, blocks::fp4_codec})
    if (const Codec codec = family(type); codec.decode) return codec;
  return {};
}

constexpr size_t kNumTypes = static_cast<size_t>(DType::kNVFP4) + 1;

const Codec& codec_of(DType type) {
  static const std::array<Codec, kNumTypes> table = [] {
    std::array<Codec, kNumTypes> t;
    for (size_t i = 0; i < kNumTypes; ++i) t[i] = find_codec(static_cast<DType>(i));
    return t;
  }();
  return table[static_cast<size_t>(type)];
}

// The first element that is an infinity or NaN, or n.
int64_t find_non_finite(const float* x, int64_t n) {
  constexpr uint32_t kInfinity = 0x7f800000;
  constexpr int64_t kChunk = 256;
  for (int64_t start = 0; start < n; start += kChunk) {
    const int64_t end = std::min(n, start + kChunk);
    uint32_t any = 0;
    for (int64_t i = start; i < end; ++i) any |= (std::bit_cast<uint32_t>(x[i]) & kInfinity) == kInfinity;
    for (int64_t i = start; any && i < end; ++i)
      if ((std::bit_cast<uint32_t>(x[i]) & kInfinity) == kInfinity) return i;
  }
  return n;
}

}  // namespace

bool can_decode(DType type) { return codec_of(type).decode != nullptr; }
bool can_encode(DType type) { return codec_of(type).encode != nullptr; }

void decode_row(DType type, const void* src, float* dst, int64_t n) {
  const int block = dtype_info(type).block_elements;
  INGOT_CHECK(can_decode(type) && n >= 0 && n % block == 0);
  codec_of(type).decode(src, dst, n / block);
}

Result<void> encode_row(DType type, const float* src, void* dst, int64_t n, const float* importance) {
  const DTypeInfo& info = dtype_info(type);
  if (!can_encode(type))
    return unimplemented("[encode] type '{}': there is no encoder; choose another type", info.name);
  if (n < 0 || n % info.block_elements != 0)
    return invalid("[encode] type '{}': a row of {} elements is no multiple of the block of {}; choose another type",
                   info.name, n, info.block_elements);
  if (is_quantized(type)) {
    if (const int64_t i = find_non_finite(src, n); i < n)
      return invalid("[encode] type '{}': element {} is {}, which it cannot hold; mend the weights or keep them f16",
                     info.name, i, src[i]);
    if (importance)
      for (int64_t i = 0; i < n; ++i)
        if (!(importance[i] >= 0) || importance[i] > 3.4e38f)
          return invalid("[encode] type '{}': importance {} is {}; it must be finite and not negative", info.name, i,
                         importance[i]);
  }
  codec_of(type).encode(src, importance, dst, n / info.block_elements);
  return {};
}

}  // namespace ingot
