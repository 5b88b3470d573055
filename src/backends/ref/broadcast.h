// Walking several tensors in step: NumPy broadcasting and strided iteration over an index space.
// Thread-safety: pure functions.
#pragma once

#include <array>

#include "backends/ref/dispatch.h"

namespace ingot {

// Row-major strides in elements.
inline std::array<int64_t, limits::kRankMax> strides_of(const Shape& s) {
  std::array<int64_t, limits::kRankMax> out{};
  int64_t n = 1;
  for (int d = s.rank() - 1; d >= 0; --d) {
    out[static_cast<size_t>(d)] = n;
    n *= s[d];
  }
  return out;
}

// Strides that walk `s` while an index runs over `out`: 0 along broadcast dimensions.
inline std::array<int64_t, limits::kRankMax> broadcast_strides(const Shape& s, const Shape& out) {
  const auto own = strides_of(s);
  std::array<int64_t, limits::kRankMax> result{};
  for (int d = 0; d < s.rank(); ++d) {
    const int at = out.rank() - s.rank() + d;
    result[static_cast<size_t>(at)] = s[d] == 1 ? 0 : own[static_cast<size_t>(d)];
  }
  return result;
}

// Calls f(index, offsets) for each index of `space` in row-major order; offsets[k] = sum of index * strides[k].
template <size_t N, class F>
void for_each_index(const Shape& space, const std::array<std::array<int64_t, limits::kRankMax>, N>& strides, F&& f) {
  const int64_t n = space.num_elements();
  std::array<int64_t, limits::kRankMax> index{};
  std::array<int64_t, N> offsets{};
  for (int64_t i = 0; i < n; ++i) {
    f(i, offsets);
    for (int d = space.rank() - 1; d >= 0; --d) {
      const size_t at = static_cast<size_t>(d);
      for (size_t k = 0; k < N; ++k) offsets[k] += strides[k][at];
      if (++index[at] < space[d]) break;
      for (size_t k = 0; k < N; ++k) offsets[k] -= strides[k][at] * space[d];
      index[at] = 0;
    }
  }
}

// out[i] = f(a, b) with broadcasting.
template <class In, class Out, class F>
void map_binary(KernelContext& c, F f) {
  const TensorView &a = c.in(0), &b = c.in(1);
  const TensorRef& y = c.out(0);
  const In *pa = a.as<In>(), *pb = b.as<In>();
  Out* py = y.as<Out>();
  for_each_index<2>(y.shape, {broadcast_strides(a.shape, y.shape), broadcast_strides(b.shape, y.shape)},
                    [&](int64_t i, const auto& at) { py[i] = f(pa[at[0]], pb[at[1]]); });
}

// out[i] = f(x[i]) for floats; f calculates in Compute<T>.
template <class F>
void map_float(KernelContext& c, F f) {
  dispatch_float(c, c.in(0).dtype, [&]<class T>() {
    const T* x = c.in(0).as<T>();
    T* y = c.out(0).as<T>();
    for (int64_t i = 0; i < c.in(0).num_elements(); ++i) y[i] = static_cast<T>(f(static_cast<Compute<T>>(x[i])));
  });
}

// The same for floats and integers.
template <class F>
void map_number(KernelContext& c, F f) {
  dispatch_number(c, c.in(0).dtype, [&]<class T>() {
    const T* x = c.in(0).as<T>();
    T* y = c.out(0).as<T>();
    for (int64_t i = 0; i < c.in(0).num_elements(); ++i) y[i] = static_cast<T>(f(static_cast<Compute<T>>(x[i])));
  });
}

// The axis attribute in [0, rank); inference has checked the range.
inline int axis_of(const KernelContext& c, int64_t otherwise, int rank) {
  const int64_t axis = c.node.attributes.get_int("axis", otherwise);
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

// A tensor seen as [outer, size, inner] around one axis.
struct AxisView {
  int64_t outer, size, inner;
  AxisView(const Shape& s, int axis) : outer(s.product(0, axis)), size(s[axis]), inner(s.product(axis + 1, s.rank())) {}
};

}  // namespace ingot
