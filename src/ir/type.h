// The type of a value in a graph: element type and symbolic shape; for sequences, optionals and maps what they hold.
// Thread-safety: plain value.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/dim.h"
#include "tensor/tensor.h"

namespace ingot {

using Dims = std::vector<Dim>;

struct Type {
  DType dtype = DType::kF32;
  std::optional<Dims> dims;  // nullopt: not even the rank is known before the graph runs
  // What a container holds: of a sequence or optional the type of its elements, of a map those of keys and values
  // (dtype_info: kSequence). How many a container has is not part of its type: its dims are [?].
  std::vector<Type> elements = {};

  static Type of(DType dtype, Dims dims) { return {dtype, std::move(dims)}; }
  static Type of(const TensorView& t) { return {t.dtype, Dims(t.shape.begin(), t.shape.end())}; }

  static Type sequence(Type element) { return container(DType::kSequence, {std::move(element)}); }
  static Type optional(Type element) { return container(DType::kOptional, {std::move(element)}); }
  static Type container(DType kind, std::vector<Type> elements) {
    return {kind, Dims{Dim::unknown()}, std::move(elements)};
  }

  bool is_container() const { return ingot::is_container(dtype); }
  // Of a sequence or an optional.
  const Type& element() const { return elements.front(); }
  bool ranked() const { return dims.has_value(); }
  int rank() const { return static_cast<int>(dims->size()); }
  bool operator==(const Type& o) const = default;

  // The concrete shape, if every dimension is an integer.
  std::optional<Shape> concrete() const;
  // "" or, in words, what no tensor may have: a rank or a number of elements over the limits, a negative dimension,
  // rows that are no whole blocks of a quantized type.
  std::string find_problem() const;
  std::string to_string() const;  // "f32[batch,3]", "i64[*]" when not ranked, "seq(f32[2])", "map(i64[*],f32[*])"
};

// What values of both types are: unequal dimensions are unknown, unequal ranks too. nullopt if their kinds or element
// types differ.
std::optional<Type> join(const Type& a, const Type& b);
// Whether a value may be of that type: element types, known ranks and dimensions, those of a container's tensors too.
// "" or, in words, what does not fit.
std::string find_misfit(const TensorView& value, const Type& type);

}  // namespace ingot
