// The search of the K encoders for AVX-512.
#include "tensor/blocks/k_search_affine.inc"
#include "tensor/blocks/k_search_symmetric.inc"

namespace ingot::blocks {

KSearch k_search_avx512() {
  return {affine::search<16, 3, 15>, symmetric::search<16, 4, 32>, affine::search<32, 15, 63>,
          affine::search<32, 31, 63>, symmetric::search<16, 32, 128>};
}

}  // namespace ingot::blocks
