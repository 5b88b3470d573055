// The encoder of IQ4_NL, a block of 32 elements. Private to src/tensor/blocks/.
//   x: [32] finite     importance: [32] finite and >= 0, or null
#pragma once

#include "tensor/block_formats.h"

namespace ingot::blocks {

void encode_iq4_nl(const float* x, const float* importance, BlockIQ4_NL& b);

}  // namespace ingot::blocks
