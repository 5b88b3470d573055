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

// kCodeMax: the largest q; kScaleMax: of scales and mins.
template <int kSubSize, int kCodeMax, int kScaleMax>
void search_affine(const Prepared<kSuperBlock>& p, AffineCodes& out);
// q and scales run from -k…Range to k…Range - 1.
template <int kSubSize, int kCodeRange, int kScaleRange>
void search_symmetric(const Prepared<kSuperBlock>& p, SymmetricCodes& out);

extern template void search_affine<16, 3, 15>(const Prepared<kSuperBlock>&, AffineCodes&);
extern template void search_affine<32, 15, 63>(const Prepared<kSuperBlock>&, AffineCodes&);
extern template void search_affine<32, 31, 63>(const Prepared<kSuperBlock>&, AffineCodes&);
extern template void search_symmetric<16, 4, 32>(const Prepared<kSuperBlock>&, SymmetricCodes&);
extern template void search_symmetric<16, 32, 128>(const Prepared<kSuperBlock>&, SymmetricCodes&);

}  // namespace ingot::blocks
