// The search behind the K encoders: scales of sub-blocks, then of the super-block, then both together.
// Private to src/tensor/blocks/; k_encode.cc packs what comes out.
//
//   1. Each sub-block alone: codes for a row of candidate scales; for given codes the weighted least-squares
//      scale (and minimum) and the error it leaves have closed forms. The best candidate is kept.
//   2. The super-block's binary16 scale is set so that the largest sub-block scale uses its whole range.
//   3. With that scale fixed, each sub-block picks the integer scale (and minimum), near the one wanted,
//      that leaves the least error; then, with the integers fixed, the super-block's scale is solved for
//      again by least squares; kRounds times, keeping the best.
#pragma once

#include <cstdint>

#include "tensor/block_formats.h"
#include "tensor/blocks/prepare.h"

namespace ingot::blocks {

// x = d * scale * q - dmin * min: Q2_K, Q4_K, Q5_K.
struct AffineCodes {
  uint16_t d = 0, dmin = 0;
  uint8_t scales[16] = {}, mins[16] = {};
  uint8_t q[kSuperBlock] = {};
};
// x = d * scale * q: Q3_K, Q6_K.
struct SymmetricCodes {
  uint16_t d = 0;
  int8_t scales[16] = {};
  int8_t q[kSuperBlock] = {};
};

// One function for each type. affine::search<sub-block, largest q, largest scale and min>; symmetric::search<sub-block,
// k, l> has codes from -k to k - 1 and scales from -l to l - 1.
struct KSearch {
  using Affine = void (*)(const Prepared<kSuperBlock>& p, AffineCodes& out);
  using Symmetric = void (*)(const Prepared<kSuperBlock>& p, SymmetricCodes& out);
  Affine q2_k;
  Symmetric q3_k;
  Affine q4_k, q5_k;
  Symmetric q6_k;
};

// All give the same bits.
KSearch k_search_baseline();
KSearch k_search_avx2();
KSearch k_search_avx512();

}  // namespace ingot::blocks
