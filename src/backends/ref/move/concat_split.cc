// Concat and Split along an axis.
#include <algorithm>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {

void ref_Concat(KernelContext& c) {
  const TensorRef& y = c.out(0);
  const int axis = axis_of(c, 0, y.shape.rank());
  const AxisView whole(y.shape, axis);
  dispatch_moved(c, y.dtype, [&]<class T>() {
    int64_t begin = 0;
    for (const TensorView& x : c.inputs) {
      const int64_t run = x.shape[axis] * whole.inner;
      for (int64_t o = 0; o < whole.outer; ++o)
        std::copy_n(x.as<T>() + o * run, run, y.as<T>() + o * whole.size * whole.inner + begin);
      begin += run;
    }
  });
}

void ref_Split(KernelContext& c) {
  const TensorView& x = c.in(0);
  const int axis = axis_of(c, 0, x.shape.rank());
  const AxisView whole(x.shape, axis);
  dispatch_moved(c, x.dtype, [&]<class T>() {
    int64_t begin = 0;
    for (const TensorRef& y : c.outputs) {
      const int64_t run = y.shape[axis] * whole.inner;
      for (int64_t o = 0; o < whole.outer; ++o)
        std::copy_n(x.as<T>() + o * whole.size * whole.inner + begin, run, y.as<T>() + o * run);
      begin += run;
    }
  });
}

}  // namespace ingot
