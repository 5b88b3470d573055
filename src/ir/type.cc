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

std::string Type::find_problem() const {
  if (!ranked()) return "";
  if (dims->size() > static_cast<size_t>(limits::kRankMax))
    return fmt::format("rank {} is over the limit {}", dims->size(), limits::kRankMax);
  bool empty = false;
  for (const Dim& d : *dims) {
    if (d.is_const() && (d.value() < 0 || d.value() > limits::kTensorElementsMax))
      return fmt::format("dimension {} is not in [0, {}]", d.value(), limits::kTensorElementsMax);
    empty |= d.is_const(0);
  }
  int64_t elements = 1;
  for (const Dim& d : *dims) {
    if (empty || !d.is_const()) continue;
    if (elements > limits::kTensorElementsMax / d.value())
      return fmt::format("{} has over {} elements", to_string(), limits::kTensorElementsMax);
    elements *= d.value();
  }
  const int64_t block = is_quantized(dtype) ? dtype_info(dtype).block_elements : 1;
  if (block > 1 && (dims->empty() || (dims->back().is_const() && dims->back().value() % block)))
    return fmt::format("{} is not of whole blocks of {}", to_string(), block);
  return "";
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
