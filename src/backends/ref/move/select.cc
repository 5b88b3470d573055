// Selecting elements by their values or positions: NonZero, Compress, Trilu, TopK.
#include <algorithm>
#include <numeric>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {

// The output's size depends on the data: allocated here.
void ref_NonZero(KernelContext& c) {
  const TensorView& x = c.in(0);
  std::vector<int64_t> found;
  const auto search = [&]<class T>() {
    for (int64_t i = 0; i < x.num_elements(); ++i)
      if (x.as<T>()[i] != T(0)) found.push_back(i);
  };
  if (x.dtype == DType::kBool)
    search.template operator()<uint8_t>();
  else
    dispatch_number(c, x.dtype, search);
  const int rank = x.shape.rank();
  const int64_t n = static_cast<int64_t>(found.size());
  c.allocate_output(0, Shape{rank, n});
  if (!c.has_output(0)) return;  // no memory
  const auto strides = strides_of(x.shape);
  for (int d = 0; d < rank; ++d)
    for (int64_t i = 0; i < n; ++i)
      c.out(0).as<int64_t>()[d * n + i] = found[static_cast<size_t>(i)] / strides[static_cast<size_t>(d)] % x.shape[d];
}

// Along an axis, or over the flattened input; the output's size depends on the condition.
void ref_Compress(KernelContext& c) {
  const TensorView &x = c.in(0), &condition = c.in(1);
  const bool flat = !c.node.attributes.has("axis");
  const int axis = flat ? 0 : axis_of(c, 0, x.shape.rank());
  const Shape seen = flat ? Shape{x.num_elements()} : x.shape;
  const AxisView v(seen, axis);
  std::vector<int64_t> picked;
  for (int64_t i = 0; i < std::min(condition.num_elements(), v.size); ++i)
    if (condition.as<uint8_t>()[i]) picked.push_back(i);
  Shape out = seen;
  out[axis] = static_cast<int64_t>(picked.size());
  c.allocate_output(0, out);
  if (!c.has_output(0)) return;  // no memory
  dispatch_moved(c, x.dtype, [&]<class T>() {
    T* y = c.out(0).as<T>();
    for (int64_t o = 0; o < v.outer; ++o)
      for (int64_t i : picked) y = std::copy_n(x.as<T>() + (o * v.size + i) * v.inner, v.inner, y);
  });
}

void ref_Trilu(KernelContext& c) {
  const TensorView& x = c.in(0);
  if (x.shape.rank() < 2) return invalid_data(c, "the input is not a matrix");
  const bool upper = c.node.attributes.get_int("upper", 1) != 0;
  const int64_t k = c.has_input(1) && c.in(1).num_elements() ? index_at(c.in(1), 0) : 0;
  const int64_t rows = x.shape.at(-2), columns = x.shape.at(-1);
  dispatch_moved(c, x.dtype, [&]<class T>() {
    for (int64_t i = 0; i < x.num_elements(); ++i) {
      const int64_t row = i / columns % rows, column = i % columns;
      const bool keep = upper ? column - row >= k : column - row <= k;
      c.out(0).as<T>()[i] = keep ? x.as<T>()[i] : T{};
    }
  });
}

// Sorted best first; of equal values the lower index comes first. NaN counts as the greatest value.
void ref_TopK(KernelContext& c) {
  const TensorView& x = c.in(0);
  const int axis = axis_of(c, -1, x.shape.rank());
  const AxisView v(x.shape, axis);
  const bool largest = c.node.attributes.get_int("largest", 1) != 0;
  const int64_t k = c.out(0).shape[axis];
  if (k > v.size) return invalid_data(c, fmt::format("k = {} of {} elements", k, v.size));
  std::vector<int64_t> order(static_cast<size_t>(v.size));
  dispatch_number(c, x.dtype, [&]<class T>() {
    for (int64_t o = 0; o < v.outer; ++o)
      for (int64_t i = 0; i < v.inner; ++i) {
        const auto at = [&](int64_t j) { return Compute<T>(x.as<T>()[(o * v.size + j) * v.inner + i]); };
        std::iota(order.begin(), order.end(), 0);
        std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
          const auto va = at(a), vb = at(b);
          const bool nan_a = va != va, nan_b = vb != vb;
          if (nan_a != nan_b) return largest ? nan_a : nan_b;
          if (!nan_a && va != vb) return largest ? va > vb : va < vb;
          return a < b;
        });
        for (int64_t j = 0; j < k; ++j) {
          const int64_t to = (o * k + j) * v.inner + i, from = order[static_cast<size_t>(j)];
          if (c.has_output(0)) c.out(0).as<T>()[to] = x.as<T>()[(o * v.size + from) * v.inner + i];
          if (c.has_output(1)) c.out(1).as<int64_t>()[to] = from;
        }
      }
  });
}

}  // namespace ingot
