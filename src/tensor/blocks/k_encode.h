// Encoders of the K types, one super-block of 256 elements each. Private to src/tensor/blocks/.
//   x: [256] finite     importance: [256] finite and >= 0, or null
#pragma once

#include "tensor/block_formats.h"

namespace ingot::blocks {

void encode_q2_k(const float* x, const float* importance, BlockQ2_K& b);
void encode_q3_k(const float* x, const float* importance, BlockQ3_K& b);
void encode_q4_k(const float* x, const float* importance, BlockQ4_K& b);
void encode_q5_k(const float* x, const float* importance, BlockQ5_K& b);
void encode_q6_k(const float* x, const float* importance, BlockQ6_K& b);

}  // namespace ingot::blocks
