// ScatterElements and ScatterND with reductions. An index out of range ends the run.
#include <algorithm>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

// How an update joins what is there: f(old, update).
template <class T, class F>
void with_reduction(const KernelContext& c, F&& f) {
  using V = Compute<T>;
  const std::string how = c.node.attributes.get_string("reduction", "none");
  if (how == "none") return f([](V, V b) { return b; });
  if (how == "add") return f([](V a, V b) { return static_cast<V>(a + b); });
  if (how == "mul") return f([](V a, V b) { return static_cast<V>(a * b); });
  if (how == "min") return f([](V a, V b) { return std::min(a, b); });
  if (how == "max") return f([](V a, V b) { return std::max(a, b); });
  invalid_data(c, fmt::format("reduction '{}' is not none, add, mul, min or max", how));
}

template <class T>
void scatter_elements(KernelContext& c) {
  const TensorView &x = c.in(0), &indices = c.in(1), &updates = c.in(2);
  T* y = c.out(0).as<T>();
  std::copy_n(x.as<T>(), x.num_elements(), y);
  const int axis = axis_of(c, 0, x.shape.rank());
  if (!(indices.shape == updates.shape) || indices.shape.rank() != x.shape.rank())
    return invalid_data(c, "indices and updates differ in shape");
  for (int d = 0; d < x.shape.rank(); ++d)
    if (d != axis && indices.shape[d] > x.shape[d]) return invalid_data(c, "indices reach past the data's shape");
  auto strides = strides_of(x.shape);
  const int64_t step = strides[static_cast<size_t>(axis)], n = x.shape[axis];
  strides[static_cast<size_t>(axis)] = 0;
  const auto run = [&](auto join) {
    for_each_index<1>(indices.shape, {strides}, [&](int64_t i, const auto& at) {
      int64_t index = index_at(indices, i);
      if (index < 0) index += n;
      if (index < 0 || index >= n) return invalid_data(c, fmt::format("index {} is out of range for {}", index, n));
      join(y[at[0] + index * step], updates.as<T>()[i]);
    });
  };
  if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, Bytes16>)
    run([](T& old, const T& update) { old = update; });
  else
    with_reduction<T>(c, [&](auto f) {
      run([&](T& old, const T& update) { old = static_cast<T>(f(Compute<T>(old), Compute<T>(update))); });
    });
}

template <class T>
void scatter_nd(KernelContext& c) {
  const TensorView &x = c.in(0), &indices = c.in(1), &updates = c.in(2);
  T* y = c.out(0).as<T>();
  std::copy_n(x.as<T>(), x.num_elements(), y);
  const int k = indices.shape.rank() ? static_cast<int>(indices.shape.at(-1)) : 0;
  if (k < 1 || k > x.shape.rank()) return invalid_data(c, "indices do not fit the data");
  const int64_t slice = x.shape.product(k, x.shape.rank());
  const int64_t tuples = indices.num_elements() / k;
  if (updates.num_elements() != tuples * slice) return invalid_data(c, "updates do not fit indices and data");
  const auto strides = strides_of(x.shape);
  const auto run = [&](auto join) {
    for (int64_t t = 0; t < tuples; ++t) {
      int64_t to = 0;
      for (int d = 0; d < k; ++d) {
        int64_t index = index_at(indices, t * k + d);
        if (index < 0) index += x.shape[d];
        if (index < 0 || index >= x.shape[d])
          return invalid_data(c, fmt::format("index {} is out of range for {}", index, x.shape[d]));
        to += index * strides[static_cast<size_t>(d)];
      }
      for (int64_t i = 0; i < slice; ++i) join(y[to + i], updates.as<T>()[t * slice + i]);
    }
  };
  if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, Bytes16>)
    run([](T& old, const T& update) { old = update; });
  else
    with_reduction<T>(c, [&](auto f) {
      run([&](T& old, const T& update) { old = static_cast<T>(f(Compute<T>(old), Compute<T>(update))); });
    });
}

// Numbers by their type; what is no number is only moved.
template <class F>
void dispatch_scatter(KernelContext& c, F f) {
  if (!is_index_type(c.in(1).dtype)) return unsupported_type(c, c.in(1).dtype);
  const DType t = c.in(0).dtype;
  if (dispatch_if_float(t, f) || dispatch_if_integer(t, f)) return;
  if (c.node.attributes.get_string("reduction", "none") != "none") return unsupported_type(c, t);
  dispatch_moved(c, t, f);
}

}  // namespace

void ref_ScatterElements(KernelContext& c) {
  dispatch_scatter(c, [&]<class T>() { scatter_elements<T>(c); });
}
void ref_ScatterND(KernelContext& c) {
  dispatch_scatter(c, [&]<class T>() { scatter_nd<T>(c); });
}

}  // namespace ingot
