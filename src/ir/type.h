// The type of a value in a graph: element type and symbolic shape. Thread-safety: plain value.
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

  static Type of(DType dtype, Dims dims) { return {dtype, std::move(dims)}; }
  static Type of(const TensorView& t) { return {t.dtype, Dims(t.shape.begin(), t.shape.end())}; }

  bool ranked() const { return dims.has_value(); }
  int rank() const { return static_cast<int>(dims->size()); }
  bool operator==(const Type& o) const = default;

  // The concrete shape, if every dimension is an integer.
  std::optional<Shape> concrete() const;
  // "" or, in words, what no tensor may have: a rank or a number of elements over the limits, a negative dimension,
  // rows that are no whole blocks of a quantized type.
  std::string find_problem() const;
  std::string to_string() const;  // "f32[batch,3]", "i64[*]" when not ranked
};

}  // namespace ingot
