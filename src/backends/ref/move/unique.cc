// Unique, ReverseSequence.
#include <algorithm>
#include <numeric>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

// NaN is one value, greater than all others.
template <class T>
int compare(const T& a, const T& b) {
  if constexpr (std::is_same_v<T, std::string>) {
    return a.compare(b);
  } else {
    const Compute<T> x = a, y = b;
    const bool nan_x = x != x, nan_y = y != y;
    if (nan_x || nan_y) return nan_x - nan_y;
    return x < y ? -1 : y < x;
  }
}

void store_list(const KernelContext& c, int output, const std::vector<int64_t>& list) {
  if (static_cast<size_t>(output) >= c.outputs.size()) return;
  if (output != 2) c.allocate_output(output, Shape{static_cast<int64_t>(list.size())});
  if (c.has_output(output)) std::ranges::copy(list, c.out(output).as<int64_t>());
}

}  // namespace

void ref_Unique(KernelContext& c) {
  const TensorView& x = c.in(0);
  const bool flat = !c.node.attributes.has("axis");
  const Shape seen = flat ? Shape{x.num_elements()} : x.shape;
  const int axis = flat ? 0 : axis_of(c, 0, seen.rank());
  const AxisView v(seen, axis);
  const auto find = [&]<class T>() {
    const auto order_of = [&](int64_t a, int64_t b) {
      for (int64_t i = 0; i < v.outer * v.inner; ++i) {
        const int64_t base = i / v.inner * v.size * v.inner + i % v.inner;
        if (const int d = compare(x.as<T>()[base + a * v.inner], x.as<T>()[base + b * v.inner])) return d;
      }
      return 0;
    };
    std::vector<int64_t> order(static_cast<size_t>(v.size)), first, group(order.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return order_of(a, b) < 0; });
    for (int64_t i : order) {
      if (first.empty() || order_of(first.back(), i) != 0) first.push_back(i);
      group[static_cast<size_t>(i)] = static_cast<int64_t>(first.size()) - 1;
    }
    std::vector<int64_t> place(first.size());  // of each group in the result
    std::iota(place.begin(), place.end(), 0);
    if (!c.node.attributes.get_int("sorted", 1)) {
      std::vector<int64_t> by_first = place;
      std::ranges::sort(by_first, {}, [&](int64_t g) { return first[static_cast<size_t>(g)]; });
      for (size_t i = 0; i < by_first.size(); ++i) place[static_cast<size_t>(by_first[i])] = static_cast<int64_t>(i);
      std::ranges::sort(first);
    }
    std::vector<int64_t> counts(first.size());
    for (int64_t& g : group) ++counts[static_cast<size_t>(g = place[static_cast<size_t>(g)])];
    Shape out = seen;
    out[axis] = static_cast<int64_t>(first.size());
    c.allocate_output(0, out);
    if (!c.has_output(0)) return;  // no memory
    T* y = c.out(0).as<T>();
    for (int64_t o = 0; o < v.outer; ++o)
      for (int64_t i : first) y = std::copy_n(x.as<T>() + (o * v.size + i) * v.inner, v.inner, y);
    store_list(c, 1, first);
    store_list(c, 2, group);
    store_list(c, 3, counts);
  };
  if (x.dtype == DType::kString) return find.template operator()<std::string>();
  if (x.dtype == DType::kBool) return find.template operator()<uint8_t>();
  dispatch_number(c, x.dtype, find);
}

// The first lengths[b] steps of sequence b change their order.
void ref_ReverseSequence(KernelContext& c) {
  const Shape& s = c.in(0).shape;
  const bool time_first = c.node.attributes.get_int("time_axis", 0) == 0;
  const int64_t steps = s[time_first ? 0 : 1], batch = s[time_first ? 1 : 0], inner = s.product(2, s.rank());
  dispatch_moved(c, c.in(0).dtype, [&]<class T>() {
    const T* x = c.in(0).as<T>();
    for (int64_t b = 0; b < batch; ++b) {
      const int64_t length = c.in(1).as<int64_t>()[b];
      if (length < 0 || length > steps) return invalid_data(c, fmt::format("length {} of {} steps", length, steps));
      for (int64_t t = 0; t < steps; ++t) {
        const int64_t from = t < length ? length - 1 - t : t;
        const auto row = [&](int64_t at) { return (time_first ? at * batch + b : b * steps + at) * inner; };
        std::copy_n(x + row(from), inner, c.out(0).as<T>() + row(t));
      }
    }
  });
}

}  // namespace ingot
