// GGUF's quantized block formats: byte layouts, decoding to float, encoding from float.
//
// The structs are the bytes as they stand in a file: little endian, alignment 1, one row of a tensor
// after the other. Source of the layouts: the GGUF format as ggml and the Python `gguf` package
// define it; decoding gives the same float bits as that package.
// Neighbours: formats/ hands out such bytes, backends/ multiply with them, blocks/ holds the code.
// Thread-safety: pure functions. Cost: no allocation.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "tensor/dtype.h"

namespace ingot {

// Decodes n elements of F32, F16, BF16, F64 or any quantized type.
//   src: dtype_bytes(type, n) bytes, any alignment     dst: [n]     n: a multiple of the block size
// Any bytes decode to something (perhaps NaN or infinity); none are read outside src.
void decode_row(DType type, const void* src, float* dst, int64_t n);
bool can_decode(DType type);

// Encodes n floats; the inverse of decode_row, with the error that the type allows.
//   importance: [n] or null; the squared error of element i counts importance[i] times
// Scales that pass the type's range saturate. The legacy types (Q4_0 … Q8_0) and TQ1_0, TQ2_0 ignore importance.
// Errors: kUnimplemented if !can_encode(type); kInvalidArgument if n is no multiple of the block size,
// if a quantized type is given an infinity or NaN, or if an importance is negative or not finite.
bool can_encode(DType type);
Result<void> encode_row(DType type, const float* src, void* dst, int64_t n, const float* importance = nullptr);

// Sub-block scales and minimums of Q4_K and Q5_K: 6 bits each, eight of both in 12 bytes.
void unpack_k4_scales(const uint8_t packed[12], uint8_t scales[8], uint8_t mins[8]);
// Sub-block scales of Q3_K: sixteen of 6 bits in 12 bytes, -32 … 31.
void unpack_q3_k_scales(const uint8_t packed[12], int8_t scales[16]);

// 2^(e - 127), the scale byte of the OCP microscaling formats; 255 is NaN.
float e8m0_to_float(uint8_t e);
// MXFP4 keeps e2m1 values doubled as integers, so its scale is halved: 2^(e - 128). 255 is not special here.
float e8m0_to_float_half(uint8_t e);
// Unsigned e4m3 (bias 7), the scale byte of NVFP4; the sign bit is ignored and 0x7f means 0.
float ue4m3_to_float(uint8_t bits);

inline constexpr int kSuperBlock = 256;  // elements of a K, IQ or TQ block
// 4-bit codebooks: IQ4_NL and IQ4_XS; e2m1 doubled for MXFP4 and NVFP4.
inline constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
inline constexpr int8_t kFp4Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// Fields named d, dmin and m are binary16 scales. "lo" and "hi" are the nibbles of a byte.
#pragma pack(push, 1)
struct BlockQ1_0 {  // x = bit ? d : -d; 128 elements
  uint16_t d;
  uint8_t qs[16];
};
struct BlockQ2_0 {  // x = d * (q - 1); 64 elements, 4 a byte, lowest bits first
  uint16_t d;
  uint8_t qs[16];
};
struct BlockQ4_0 {  // x = d * (q - 8); 32 elements: lo of qs 0…15, then hi
  uint16_t d;
  uint8_t qs[16];
};
struct BlockQ4_1 {  // x = d * q + m
  uint16_t d;
  uint16_t m;
  uint8_t qs[16];
};
struct BlockQ5_0 {  // x = d * (q - 16); the fifth bit of element i is bit i of qh
  uint16_t d;
  uint32_t qh;
  uint8_t qs[16];
};
struct BlockQ5_1 {  // x = d * q + m
  uint16_t d;
  uint16_t m;
  uint32_t qh;
  uint8_t qs[16];
};
struct BlockQ8_0 {  // x = d * q; 32 elements
  uint16_t d;
  int8_t qs[32];
};
struct BlockQ2_K {  // 16 sub-blocks of 16: x = d * lo(scale) * q - dmin * hi(scale)
  uint8_t scales[16];
  uint8_t qs[64];  // byte l of half h holds elements 128h + l + 32{0,1,2,3}, lowest bits first
  uint16_t d;
  uint16_t dmin;
};
struct BlockQ3_K {    // 16 sub-blocks of 16: x = d * scale * (q - 4)
  uint8_t hmask[32];  // bit c of byte l is the third bit of element 32c + l
  uint8_t qs[64];     // as in Q2_K
  uint8_t scales[12];
  uint16_t d;
};
struct BlockQ4_K {  // 8 sub-blocks of 32: x = d * scale * q - dmin * min
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];
  uint8_t qs[128];  // 32 bytes hold two sub-blocks: lo, then hi
};
struct BlockQ5_K {
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];
  uint8_t qh[32];  // bit s of byte l is the fifth bit of element 32s + l
  uint8_t qs[128];
};
struct BlockQ6_K {  // 16 sub-blocks of 16: x = d * scale * (q - 32)
  uint8_t ql[128];  // half h: byte l < 64 holds elements 128h + l (lo) and 128h + 64 + l (hi)
  uint8_t qh[64];   // half h: byte l < 32 holds the high bits of elements 128h + l + 32{0,1,2,3}
  int8_t scales[16];
  uint16_t d;
};
struct BlockIQ1_S {
  uint16_t d;
  uint8_t qs[32];
  uint16_t qh[8];  // per 32 elements: 4 x 3 high index bits, 3 scale bits, sign of the shift
};
struct BlockIQ1_M {
  uint8_t qs[32];
  uint8_t qh[16];      // per 8 elements: 3 high index bits, sign of the shift
  uint16_t scales[4];  // 4 x 3 bits, and in the top four bits a quarter of the binary16 d
};
struct BlockIQ2_XXS {
  uint16_t d;
  uint32_t qs[16];  // per 32 elements: 4 index bytes; then 4 x 7 sign bits and 4 scale bits
};
struct BlockIQ2_XS {
  uint16_t d;
  uint16_t qs[32];  // per 8 elements: 9 index bits, 7 sign bits
  uint8_t scales[8];
};
struct BlockIQ2_S {
  uint16_t d;
  uint8_t qs[32];
  uint8_t signs[32];
  uint8_t qh[8];  // per 32 elements: 4 x 2 high index bits
  uint8_t scales[8];
};
struct BlockIQ3_XXS {
  uint16_t d;
  uint8_t qs[64];
  uint32_t signs_scales[8];  // per 32 elements: 4 x 7 sign bits and 4 scale bits
};
struct BlockIQ3_S {
  uint16_t d;
  uint8_t qs[64];
  uint8_t qh[8];  // per 32 elements: the ninth index bits
  uint8_t signs[32];
  uint8_t scales[4];
};
struct BlockIQ4_NL {  // x = d * kIq4Values[q]; nibbles as in Q4_0
  uint16_t d;
  uint8_t qs[16];
};
struct BlockIQ4_XS {  // 8 sub-blocks of 32: x = d * (scale - 32) * kIq4Values[q]
  uint16_t d;
  uint16_t scales_h;
  uint8_t scales_l[4];
  uint8_t qs[128];
};
struct BlockTQ1_0 {  // x = d * (trit - 1); five trits a byte, as a fraction of 256 in base 3
  uint8_t qs[48];
  uint8_t qh[4];  // the last 16 elements, four trits a byte
  uint16_t d;
};
struct BlockTQ2_0 {  // x = d * (q - 1); packed as in Q2_K
  uint8_t qs[64];
  uint16_t d;
};
struct BlockMXFP4 {  // x = e8m0_to_float_half(e) * kFp4Values[q]; nibbles as in Q4_0
  uint8_t e;
  uint8_t qs[16];
};
struct BlockNVFP4 {  // 4 sub-blocks of 16: x = ue4m3_to_float(d) / 2 * kFp4Values[q]
  uint8_t d[4];
  uint8_t qs[32];  // sub-block s: lo of bytes 8s…8s+7, then hi
};
#pragma pack(pop)

static_assert(sizeof(BlockQ1_0) == 18 && sizeof(BlockQ2_0) == 18);
static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20);
static_assert(sizeof(BlockQ5_0) == 22 && sizeof(BlockQ5_1) == 24 && sizeof(BlockQ8_0) == 34);
static_assert(sizeof(BlockQ2_K) == 84 && sizeof(BlockQ3_K) == 110);
static_assert(sizeof(BlockQ4_K) == 144 && sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210);
static_assert(sizeof(BlockIQ1_S) == 50 && sizeof(BlockIQ1_M) == 56);
static_assert(sizeof(BlockIQ2_XXS) == 66 && sizeof(BlockIQ2_XS) == 74 && sizeof(BlockIQ2_S) == 82);
static_assert(sizeof(BlockIQ3_XXS) == 98 && sizeof(BlockIQ3_S) == 110);
static_assert(sizeof(BlockIQ4_NL) == 18 && sizeof(BlockIQ4_XS) == 136);
static_assert(sizeof(BlockTQ1_0) == 54 && sizeof(BlockTQ2_0) == 66);
static_assert(sizeof(BlockMXFP4) == 17 && sizeof(BlockNVFP4) == 36);

}  // namespace ingot
