#include "ir/type.h"

namespace ingot {

std::optional<Shape> Type::concrete() const {
  if (!dims || dims->size() > limits::kRankMax) return std::nullopt;
  Shape shape;
  for (const Dim& d : *dims) {
    if (!d.is_const()) return std::nullopt;
    shape.push_back(d.value());
  }
  return shape;
}

std::string Type::to_string() const {
  std::string out(dtype_name(dtype));
  out += '[';
  if (!dims) return out + "*]";
  for (size_t i = 0; i < dims->size(); ++i) {
    if (i) out += ',';
    out += (*dims)[i].to_string();
  }
  return out + "]";
}

}  // namespace ingot
