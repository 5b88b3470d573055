// What a family of block formats offers to block_formats.cc: a decoder and, for some types, an encoder.
// Each family file answers for its own types; block_formats.cc asks them in turn and keeps a table.
// Private to src/tensor/. Thread-safety: pure functions.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace ingot::blocks {

// The caller has checked: whole blocks, finite src (encoders), finite importance >= 0 or null.
using DecodeFn = void (*)(const void* src, float* dst, int64_t num_blocks);
using EncodeFn = void (*)(const float* src, const float* importance, void* dst, int64_t num_blocks);

struct Codec {
  DecodeFn decode = nullptr;
  EncodeFn encode = nullptr;
};

// An empty Codec means: not of this family.
Codec legacy_codec(DType type);   // Q4_0 Q4_1 Q5_0 Q5_1 Q8_0
Codec k_codec(DType type);        // Q2_K … Q6_K
Codec iq_codec(DType type);       // IQ1 … IQ4
Codec ternary_codec(DType type);  // Q1_0 Q2_0 TQ1_0 TQ2_0
Codec fp4_codec(DType type);      // MXFP4 NVFP4

// Rows of blocks from functions of one block.
template <class Block, int kElements, void (*kDecode)(const Block&, float*)>
void decode_blocks(const void* src, float* dst, int64_t num_blocks) {
  const auto* b = static_cast<const Block*>(src);
  for (int64_t i = 0; i < num_blocks; ++i) kDecode(b[i], dst + i * kElements);
}
template <class Block, int kElements, void (*kEncode)(const float*, const float*, Block&)>
void encode_blocks(const float* src, const float* importance, void* dst, int64_t num_blocks) {
  auto* b = static_cast<Block*>(dst);
  for (int64_t i = 0; i < num_blocks; ++i)
    kEncode(src + i * kElements, importance ? importance + i * kElements : nullptr, b[i]);
}

}  // namespace ingot::blocks
