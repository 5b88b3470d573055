// Checks that the inference of several op families shares. An absent operand, or one of unknown rank, passes: the
// inference runs again when shapes are bound, and then all are known. Errors: kInvalidArgument, in the node's name.
#pragma once

#include "ir/infer.h"

namespace ingot {

// Not two different numbers.
inline bool agree(const Dim& a, const Dim& b) { return !a.is_const() || !b.is_const() || a == b; }

inline bool all_ranked(const InferContext& c, int first, int count) {
  for (int i = first; i < first + count; ++i)
    if (c.has_input(i) && !c.ranked(i)) return false;
  return true;
}

inline Result<void> require_rank(InferContext& c, int i, int rank) {
  if (!c.has_input(i) || !c.ranked(i) || c.rank(i) == rank) return {};
  return c.fail("operand {} is {}, not of rank {}", i, c.type(i).to_string(), rank);
}

inline Result<void> require_rank_min(InferContext& c, int i, int rank) {
  if (!c.has_input(i) || !c.ranked(i) || c.rank(i) >= rank) return {};
  return c.fail("operand {} is {}, not of rank {} or more", i, c.type(i).to_string(), rank);
}

// Operand i has these dimensions as far as both sides are numbers.
inline Result<void> require_dims(InferContext& c, int i, const Dims& dims) {
  if (!c.has_input(i) || !c.ranked(i)) return {};
  bool fits = c.dims(i).size() == dims.size();
  for (size_t d = 0; fits && d < dims.size(); ++d) fits = agree(c.dims(i)[d], dims[d]);
  if (fits) return {};
  return c.fail("operand {} is {}, not {}", i, c.type(i).to_string(), Type::of(c.type(i).dtype, dims).to_string());
}

inline Result<void> require_float(InferContext& c, int i) {
  if (!c.has_input(i) || is_float(c.type(i).dtype)) return {};
  return c.fail("operand {} is {}, not a float", i, c.type(i).to_string());
}

// A string attribute is one of `names`, which are separated by '|'.
inline Result<void> require_choice(InferContext& c, std::string_view attribute, std::string_view names,
                                   std::string otherwise) {
  const std::string value = c.attributes().get_string(attribute, std::move(otherwise));
  for (size_t at = 0; at <= names.size();) {
    const size_t end = std::min(names.find('|', at), names.size());
    if (names.substr(at, end - at) == value) return {};
    at = end + 1;
  }
  return c.fail("{} '{}' is not one of {}", attribute, value, names);
}

// An integer attribute is in [low, high].
inline Result<void> require_range(InferContext& c, std::string_view attribute, int64_t low, int64_t high,
                                  int64_t otherwise) {
  const int64_t value = c.attributes().get_int(attribute, otherwise);
  if (value >= low && value <= high) return {};
  return c.fail("{} {} is not in [{}, {}]", attribute, value, low, high);
}

// The attribute axes of operand 0, counted from its front. Not for an operand of unknown rank.
inline Result<std::vector<size_t>> listed_axes(InferContext& c) {
  std::vector<size_t> axes;
  for (int64_t a : c.attributes().get_ints("axes")) {
    auto axis = normalize_axis(a, c.rank(0));
    if (!axis) return c.fail("{}", axis.error().message());
    axes.push_back(static_cast<size_t>(*axis));
  }
  return axes;
}

inline Result<void> set_all_unranked(InferContext& c, DType dtype) {
  for (int i = 0; i < c.num_outputs(); ++i) c.set_unranked(i, dtype);
  return {};
}

}  // namespace ingot
