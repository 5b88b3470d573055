// Gather, GatherElements, GatherND. An index may be negative; one out of range ends the run.
#include <algorithm>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

// Index value in [0, n), or -1.
int64_t wrapped(int64_t index, int64_t n) {
  if (index < 0) index += n;
  return index >= 0 && index < n ? index : -1;
}

void out_of_range(const KernelContext& c, int64_t index, int64_t n) {
  invalid_data(c, fmt::format("index {} is out of range for {} elements", index, n));
}

}  // namespace

void ref_Gather(KernelContext& c) {
  const TensorView &x = c.in(0), &indices = c.in(1);
  if (!is_index_type(indices.dtype)) return unsupported_type(c, indices.dtype);
  const AxisView v(x.shape, axis_of(c, 0, x.shape.rank()));
  const int64_t count = indices.num_elements();
  dispatch_moved(c, x.dtype, [&]<class T>() {
    for (int64_t o = 0; o < v.outer; ++o)
      for (int64_t i = 0; i < count; ++i) {
        const int64_t from = wrapped(index_at(indices, i), v.size);
        if (from < 0) return out_of_range(c, index_at(indices, i), v.size);
        std::copy_n(x.as<T>() + (o * v.size + from) * v.inner, v.inner, c.out(0).as<T>() + (o * count + i) * v.inner);
      }
  });
}

void ref_GatherElements(KernelContext& c) {
  const TensorView &x = c.in(0), &indices = c.in(1);
  if (!is_index_type(indices.dtype)) return unsupported_type(c, indices.dtype);
  const int axis = axis_of(c, 0, x.shape.rank());
  for (int d = 0; d < x.shape.rank(); ++d)
    if (d != axis && indices.shape[d] > x.shape[d]) return invalid_data(c, "indices reach past the data's shape");
  auto strides = strides_of(x.shape);
  const int64_t step = strides[static_cast<size_t>(axis)];
  strides[static_cast<size_t>(axis)] = 0;
  dispatch_moved(c, x.dtype, [&]<class T>() {
    for_each_index<1>(indices.shape, {strides}, [&](int64_t i, const auto& at) {
      const int64_t from = wrapped(index_at(indices, i), x.shape[axis]);
      if (from < 0) return out_of_range(c, index_at(indices, i), x.shape[axis]);
      c.out(0).as<T>()[i] = x.as<T>()[at[0] + from * step];
    });
  });
}

void ref_GatherND(KernelContext& c) {
  const TensorView &x = c.in(0), &indices = c.in(1);
  if (!is_index_type(indices.dtype)) return unsupported_type(c, indices.dtype);
  const int batch_dims = static_cast<int>(c.node.attributes.get_int("batch_dims"));
  const int k = static_cast<int>(indices.shape.at(-1));
  const int64_t batches = x.shape.product(0, batch_dims);
  const int64_t tuples = indices.shape.product(batch_dims, indices.shape.rank() - 1);
  const int64_t slice = x.shape.product(batch_dims + k, x.shape.rank());
  const int64_t batch_elements = x.shape.product(batch_dims, x.shape.rank());
  if (indices.shape.product(0, batch_dims) != batches) return invalid_data(c, "batch dimensions differ");
  const auto strides = strides_of(x.shape);
  dispatch_moved(c, x.dtype, [&]<class T>() {
    for (int64_t t = 0; t < batches * tuples; ++t) {
      int64_t from = t / tuples * batch_elements;
      for (int d = 0; d < k; ++d) {
        const int64_t n = x.shape[batch_dims + d], index = wrapped(index_at(indices, t * k + d), n);
        if (index < 0) return out_of_range(c, index_at(indices, t * k + d), n);
        from += index * strides[static_cast<size_t>(batch_dims + d)];
      }
      std::copy_n(x.as<T>() + from, slice, c.out(0).as<T>() + t * slice);
    }
  });
}

}  // namespace ingot
