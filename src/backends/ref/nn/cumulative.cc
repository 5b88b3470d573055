// CumSum and CumProd along an axis, and BitCast: the same bytes as another type.
#include <cstring>
#include <functional>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

template <class Combine>
void cumulate(KernelContext& c, int start, Combine combine) {
  const TensorView& x = c.in(0);
  if (!is_index_type(c.in(1).dtype) || c.in(1).num_elements() != 1) return invalid_data(c, "axis is not one integer");
  int64_t axis = index_at(c.in(1), 0);
  if (axis < 0) axis += x.shape.rank();
  if (axis < 0 || axis >= x.shape.rank()) return invalid_data(c, fmt::format("axis {} is out of range", axis));
  const AxisView v(x.shape, static_cast<int>(axis));
  const bool exclusive = c.node.attributes.get_int("exclusive") != 0,
             reverse = c.node.attributes.get_int("reverse") != 0;
  dispatch_number(c, x.dtype, [&]<class T>() {
    for (int64_t o = 0; o < v.outer; ++o)
      for (int64_t i = 0; i < v.inner; ++i) {
        auto total = static_cast<Sum<T>>(start);
        for (int64_t step = 0; step < v.size; ++step) {
          const int64_t j = reverse ? v.size - 1 - step : step, at = (o * v.size + j) * v.inner + i;
          const Sum<T> next = combine(total, static_cast<Sum<T>>(x.as<T>()[at]));
          c.out(0).as<T>()[at] = static_cast<T>(exclusive ? total : next);
          total = next;
        }
      }
  });
}

}  // namespace

void ref_CumSum(KernelContext& c) { cumulate(c, 0, std::plus<>()); }
void ref_CumProd(KernelContext& c) { cumulate(c, 1, std::multiplies<>()); }

void ref_BitCast(KernelContext& c) {
  if (c.in(0).num_bytes()) std::memcpy(c.out(0).data, c.in(0).data, c.in(0).num_bytes());
}

}  // namespace ingot
