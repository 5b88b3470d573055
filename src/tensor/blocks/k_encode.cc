// Encoders of the K types: k_search.h finds the integers, this file packs them.
// Layouts stand in block_formats.h; k_quants.cc decodes them.
#include "tensor/blocks/k_encode.h"

#include "base/cpu_features.h"
#include "tensor/blocks/k_search.h"

namespace ingot::blocks {
namespace {

// The best of this machine. Below the AVX levels' requirements (other machines) the baseline is all there is.
const KSearch& k_search() {
  static const KSearch best = [] {
#if defined(__x86_64__)
    if (isa_includes(detected_isa(), Isa::kAvx512)) return k_search_avx512();
    if (isa_includes(detected_isa(), Isa::kAvx2)) return k_search_avx2();
#endif
    return k_search_baseline();
  }();
  return best;
}

// Byte l of half h holds two bits each of elements 128h + l + 32{0,1,2,3}: Q2_K, Q3_K.
template <class Code>
void pack_two_bits(const Code* q, uint8_t qs[64]) {
  for (int h = 0; h < 2; ++h)
    for (int l = 0; l < 32; ++l) {
      const Code* from = q + 128 * h + l;
      qs[32 * h + l] =
          static_cast<uint8_t>((from[0] & 3) | (from[32] & 3) << 2 | (from[64] & 3) << 4 | (from[96] & 3) << 6);
    }
}

void pack_k4_scales(const AffineCodes& codes, uint8_t packed[12]) {
  const uint8_t *s = codes.scales, *m = codes.mins;
  for (int j = 0; j < 4; ++j) {
    packed[j] = static_cast<uint8_t>(s[j] | (s[j + 4] >> 4) << 6);
    packed[j + 4] = static_cast<uint8_t>(m[j] | (m[j + 4] >> 4) << 6);
    packed[j + 8] = static_cast<uint8_t>((s[j + 4] & 15) | (m[j + 4] & 15) << 4);
  }
}

// Pairs of sub-blocks of 32 share 32 bytes: Q4_K, Q5_K.
void pack_nibble_pairs(const uint8_t* q, uint8_t qs[128]) {
  for (int pair = 0; pair < 4; ++pair)
    for (int l = 0; l < 32; ++l)
      qs[32 * pair + l] = static_cast<uint8_t>((q[64 * pair + l] & 15) | (q[64 * pair + 32 + l] & 15) << 4);
}

}  // namespace

void encode_q2_k(const float* x, const float* importance, BlockQ2_K& b) {
  Prepared<kSuperBlock> p;
  prepare(x, importance, p);
  AffineCodes codes;
  k_search().q2_k(p, codes);
  b.d = codes.d;
  b.dmin = codes.dmin;
  for (int s = 0; s < 16; ++s) b.scales[s] = static_cast<uint8_t>(codes.scales[s] | codes.mins[s] << 4);
  pack_two_bits(codes.q, b.qs);
}

void encode_q3_k(const float* x, const float* importance, BlockQ3_K& b) {
  Prepared<kSuperBlock> p;
  prepare(x, importance, p);
  SymmetricCodes codes;
  k_search().q3_k(p, codes);
  b.d = codes.d;
  for (auto& byte : b.scales) byte = 0;
  for (int s = 0; s < 16; ++s) {
    const int scale = codes.scales[s] + 32;
    b.scales[s % 8] |= static_cast<uint8_t>((scale & 15) << s / 8 * 4);
    b.scales[8 + s % 4] |= static_cast<uint8_t>((scale >> 4) << s / 4 * 2);
  }
  uint8_t q[kSuperBlock];
  for (int i = 0; i < kSuperBlock; ++i) q[i] = static_cast<uint8_t>(codes.q[i] + 4);
  for (int l = 0; l < 32; ++l) {
    int bits = 0;
    for (int c = 0; c < 8; ++c) bits |= (q[32 * c + l] >> 2) << c;
    b.hmask[l] = static_cast<uint8_t>(bits);
  }
  pack_two_bits(q, b.qs);
}

void encode_q4_k(const float* x, const float* importance, BlockQ4_K& b) {
  Prepared<kSuperBlock> p;
  prepare(x, importance, p);
  AffineCodes codes;
  k_search().q4_k(p, codes);
  b.d = codes.d;
  b.dmin = codes.dmin;
  pack_k4_scales(codes, b.scales);
  pack_nibble_pairs(codes.q, b.qs);
}

void encode_q5_k(const float* x, const float* importance, BlockQ5_K& b) {
  Prepared<kSuperBlock> p;
  prepare(x, importance, p);
  AffineCodes codes;
  k_search().q5_k(p, codes);
  b.d = codes.d;
  b.dmin = codes.dmin;
  pack_k4_scales(codes, b.scales);
  for (int l = 0; l < 32; ++l) {
    int bits = 0;
    for (int s = 0; s < 8; ++s) bits |= (codes.q[32 * s + l] >> 4) << s;
    b.qh[l] = static_cast<uint8_t>(bits);
  }
  pack_nibble_pairs(codes.q, b.qs);
}

void encode_q6_k(const float* x, const float* importance, BlockQ6_K& b) {
  Prepared<kSuperBlock> p;
  prepare(x, importance, p);
  SymmetricCodes codes;
  k_search().q6_k(p, codes);
  b.d = codes.d;
  for (int s = 0; s < 16; ++s) b.scales[s] = codes.scales[s];
  uint8_t q[kSuperBlock];
  for (int i = 0; i < kSuperBlock; ++i) q[i] = static_cast<uint8_t>(codes.q[i] + 32);
  for (int h = 0; h < 2; ++h) {
    const uint8_t* from = q + 128 * h;
    for (int l = 0; l < 64; ++l) b.ql[64 * h + l] = static_cast<uint8_t>((from[l] & 15) | (from[l + 64] & 15) << 4);
    for (int l = 0; l < 32; ++l)
      b.qh[32 * h + l] = static_cast<uint8_t>(from[l] >> 4 | (from[l + 32] >> 4) << 2 | (from[l + 64] >> 4) << 4 |
                                              (from[l + 96] >> 4) << 6);
  }
}

}  // namespace ingot::blocks
