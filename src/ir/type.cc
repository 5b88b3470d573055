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

namespace {

// Of a container: as many element types as it has, nested within limits.
std::string find_container_problem(const Type& t, int depth) {
  if (depth > limits::kTypeDepthMax) return fmt::format("a type is nested deeper than {}", limits::kTypeDepthMax);
  if (t.elements.size() != (!t.is_container() ? 0u : t.dtype == DType::kMap ? 2u : 1u))
    return fmt::format("{} holds {} types", dtype_name(t.dtype), t.elements.size());
  for (const Type& e : t.elements)
    if (std::string problem = e.is_container() ? find_container_problem(e, depth + 1) : e.find_problem();
        !problem.empty())
      return problem;
  return "";
}

}  // namespace

std::string Type::find_problem() const {
  if (is_container() || !elements.empty()) return find_container_problem(*this, 0);
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
  if (is_container()) {
    for (size_t i = 0; i < elements.size(); ++i) out += (i ? "," : "(") + elements[i].to_string();
    return out + ")";
  }
  out += '[';
  if (!dims) return out + "*]";
  for (size_t i = 0; i < dims->size(); ++i) {
    if (i) out += ',';
    out += (*dims)[i].to_string();
  }
  return out + "]";
}

std::optional<Type> join(const Type& a, const Type& b) {
  if (a.dtype != b.dtype || a.elements.size() != b.elements.size()) return std::nullopt;
  std::optional<Type> out(std::in_place);
  out->dtype = a.dtype;
  for (size_t i = 0; i < a.elements.size(); ++i) {
    auto element = join(a.elements[i], b.elements[i]);
    if (!element) return std::nullopt;
    out->elements.push_back(*std::move(element));
  }
  if (!a.ranked() || !b.ranked() || a.rank() != b.rank()) return out;
  Dims& dims = out->dims.emplace();
  for (size_t d = 0; d < a.dims->size(); ++d)
    dims.push_back((*a.dims)[d] == (*b.dims)[d] ? (*a.dims)[d] : Dim::unknown());
  return out;
}

std::string find_misfit(const TensorView& value, const Type& type) {
  if (value.dtype != type.dtype) return fmt::format("{} is not {}", dtype_name(value.dtype), dtype_name(type.dtype));
  if (type.is_container()) {
    const int64_t n = value.num_elements();
    if (value.shape.rank() != 1 || (type.dtype == DType::kOptional && n > 1) || (type.dtype == DType::kMap && n != 2))
      return fmt::format("{} of the shape {}", dtype_name(type.dtype), value.shape.to_string());
    for (int64_t i = 0; i < n; ++i) {
      const Tensor& t = value.as<Tensor>()[i];
      if (!t.defined()) return fmt::format("element {} is no tensor", i);
      const size_t which = type.dtype == DType::kMap ? static_cast<size_t>(i) : 0;
      if (const std::string problem = find_misfit(t.view(), type.elements[which]); !problem.empty())
        return fmt::format("element {}: {}", i, problem);
    }
    return "";
  }
  if (!type.ranked()) return "";
  bool fits = type.rank() == value.shape.rank();
  for (int i = 0; fits && i < value.shape.rank(); ++i) {
    const Dim& d = (*type.dims)[static_cast<size_t>(i)];
    fits = !d.is_const() || d.value() == value.shape[i];
  }
  return fits ? "" : fmt::format("{}{} is not {}", dtype_name(value.dtype), value.shape.to_string(), type.to_string());
}

}  // namespace ingot
