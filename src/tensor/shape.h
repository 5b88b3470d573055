// A concrete shape: up to 8 dimensions, outermost first, row-major. A scalar has rank 0.
// Thread-safety: plain value.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "base/limits.h"
#include "base/status.h"

namespace ingot {

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const int64_t> dims) : rank_(static_cast<int>(dims.size())) {
    INGOT_CHECK(dims.size() <= limits::kRankMax);
    for (int i = 0; i < rank_; ++i) dims_[i] = dims[i];
  }

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return dims_[i]; }
  int64_t& operator[](int i) { return dims_[i]; }
  // at(-1) is the innermost dimension.
  int64_t at(int i) const { return dims_[i < 0 ? i + rank_ : i]; }
  std::span<const int64_t> dims() const { return {dims_.data(), static_cast<size_t>(rank_)}; }
  const int64_t* begin() const { return dims_.data(); }
  const int64_t* end() const { return dims_.data() + rank_; }

  void push_back(int64_t d) {
    INGOT_CHECK(rank_ < limits::kRankMax);
    dims_[rank_++] = d;
  }

  // Product of dims [from, to).
  int64_t product(int from, int to) const {
    int64_t n = 1;
    for (int i = from; i < to; ++i) n *= dims_[i];
    return n;
  }
  int64_t num_elements() const { return product(0, rank_); }

  bool operator==(const Shape& o) const {
    if (rank_ != o.rank_) return false;
    for (int i = 0; i < rank_; ++i)
      if (dims_[i] != o.dims_[i]) return false;
    return true;
  }

  std::string to_string() const;  // "[2,3]"

 private:
  std::array<int64_t, limits::kRankMax> dims_{};
  int rank_ = 0;
};

}  // namespace ingot
