#include "tensor/shape.h"

namespace ingot {

std::string Shape::to_string() const {
  std::string out = "[";
  for (int i = 0; i < rank_; ++i) {
    if (i) out += ',';
    out += std::to_string(dims_[i]);
  }
  return out + "]";
}

}  // namespace ingot
