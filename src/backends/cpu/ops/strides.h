// Index spaces walked by several tensors at once, with adjacent dimensions merged where all walk on evenly.
// Thread-safety: plain values; nothing allocates.
#pragma once

#include <array>

#include "tensor/shape.h"

namespace ingot {

// `kOperands` tensors over one space; a step counts elements, 0 along what is broadcast.
template <int kOperands>
struct Walk {
  int rank = 0;
  std::array<int64_t, limits::kRankMax> size{};
  std::array<std::array<int64_t, kOperands>, limits::kRankMax> step{};

  // Adds a dimension inside the others.
  void add(int64_t n, const std::array<int64_t, kOperands>& steps) {
    if (n == 1) return;
    if (rank > 0) {
      const size_t last = static_cast<size_t>(rank - 1);
      bool even = true;
      for (size_t i = 0; i < kOperands; ++i) even &= step[last][i] == steps[i] * n;
      if (even) {
        size[last] *= n;
        step[last] = steps;
        return;
      }
    }
    size[static_cast<size_t>(rank)] = n;
    step[static_cast<size_t>(rank++)] = steps;
  }
  // At least one dimension.
  void finish() {
    if (rank == 0) size[0] = 1, step[0] = {}, rank = 1;
  }

  int64_t inner() const { return size[static_cast<size_t>(rank - 1)]; }
  const std::array<int64_t, kOperands>& inner_step() const { return step[static_cast<size_t>(rank - 1)]; }
  int64_t outer() const {
    int64_t n = 1;
    for (int d = 0; d + 1 < rank; ++d) n *= size[static_cast<size_t>(d)];
    return n;
  }
  // Where run i of the innermost dimension starts.
  std::array<int64_t, kOperands> start(int64_t i) const {
    std::array<int64_t, kOperands> at{};
    for (int d = rank - 2; d >= 0; --d) {
      const size_t k = static_cast<size_t>(d);
      const int64_t index = i % size[k];
      i /= size[k];
      for (size_t j = 0; j < kOperands; ++j) at[j] += index * step[k][j];
    }
    return at;
  }
};

// The tensors of these shapes, broadcast to `out`.
template <int kOperands>
Walk<kOperands> broadcast_walk(const std::array<const Shape*, kOperands>& shapes, const Shape& out) {
  Walk<kOperands> walk;
  std::array<std::array<int64_t, kOperands>, limits::kRankMax> steps{};
  for (size_t i = 0; i < kOperands; ++i) {
    const Shape& s = *shapes[i];
    int64_t step = 1;
    for (int d = s.rank() - 1; d >= 0; --d) {
      steps[static_cast<size_t>(d + out.rank() - s.rank())][i] = s[d] == 1 ? 0 : step;
      step *= s[d];
    }
  }
  for (int d = 0; d < out.rank(); ++d) walk.add(out[d], steps[static_cast<size_t>(d)]);
  walk.finish();
  return walk;
}

}  // namespace ingot
