// Max, Min, Mean and Sum of any number of operands, with broadcasting.
#include <cmath>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

// y = f(y, operand) for each operand after the first, in order.
template <class T, class F>
void accumulate(KernelContext& c, F f) {
  const TensorRef& y = c.out(0);
  for (int k = 0; k < static_cast<int>(c.inputs.size()); ++k) {
    const TensorView& x = c.in(k);
    for_each_index<1>(y.shape, {broadcast_strides(x.shape, y.shape)}, [&](int64_t i, const auto& at) {
      const T v = x.as<T>()[at[0]];
      y.as<T>()[i] = k == 0 ? v : static_cast<T>(f(Compute<T>(y.as<T>()[i]), Compute<T>(v)));
    });
  }
}

template <class T>
T sum(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a + b;
  return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

}  // namespace

// A NaN operand gives NaN.
void ref_Max(KernelContext& c) {
  dispatch_number(c, c.in(0).dtype,
                  [&]<class T>() { accumulate<T>(c, [](auto a, auto b) { return a > b || a != a ? a : b; }); });
}

void ref_Min(KernelContext& c) {
  dispatch_number(c, c.in(0).dtype,
                  [&]<class T>() { accumulate<T>(c, [](auto a, auto b) { return a < b || a != a ? a : b; }); });
}

void ref_Sum(KernelContext& c) {
  dispatch_number(c, c.in(0).dtype, [&]<class T>() { accumulate<T>(c, [](auto a, auto b) { return sum(a, b); }); });
}

void ref_Mean(KernelContext& c) {
  dispatch_float(c, c.in(0).dtype, [&]<class T>() {
    accumulate<T>(c, [](auto a, auto b) { return a + b; });
    const Compute<T> n = static_cast<Compute<T>>(c.inputs.size());
    for (int64_t i = 0; i < c.out(0).num_elements(); ++i)
      c.out(0).as<T>()[i] = static_cast<T>(Compute<T>(c.out(0).as<T>()[i]) / n);
  });
}

}  // namespace ingot
