// Comparisons and logic with broadcasting; Where.
#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

template <class F>
void compare(KernelContext& c, F f) {
  dispatch_number(c, c.in(0).dtype, [&]<class T>() {
    map_binary<T, bool>(c, [&](T a, T b) { return f(Compute<T>(a), Compute<T>(b)); });
  });
}

template <class F>
void logic(KernelContext& c, F f) {
  if (c.in(0).dtype != DType::kBool) return unsupported_type(c, c.in(0).dtype);
  map_binary<uint8_t, bool>(c, [&](uint8_t a, uint8_t b) { return f(a != 0, b != 0); });
}

}  // namespace

void ref_Equal(KernelContext& c) {
  if (c.in(0).dtype == DType::kBool) return logic(c, [](bool a, bool b) { return a == b; });
  if (c.in(0).dtype == DType::kString)
    return map_binary<std::string, bool>(c, [](const std::string& a, const std::string& b) { return a == b; });
  compare(c, [](auto a, auto b) { return a == b; });
}
void ref_Greater(KernelContext& c) {
  compare(c, [](auto a, auto b) { return a > b; });
}
void ref_GreaterOrEqual(KernelContext& c) {
  compare(c, [](auto a, auto b) { return a >= b; });
}
void ref_Less(KernelContext& c) {
  compare(c, [](auto a, auto b) { return a < b; });
}
void ref_LessOrEqual(KernelContext& c) {
  compare(c, [](auto a, auto b) { return a <= b; });
}
void ref_And(KernelContext& c) {
  logic(c, [](bool a, bool b) { return a && b; });
}
void ref_Or(KernelContext& c) {
  logic(c, [](bool a, bool b) { return a || b; });
}
void ref_Xor(KernelContext& c) {
  logic(c, [](bool a, bool b) { return a != b; });
}

void ref_Not(KernelContext& c) {
  if (c.in(0).dtype != DType::kBool) return unsupported_type(c, c.in(0).dtype);
  for (int64_t i = 0; i < c.in(0).num_elements(); ++i) c.out(0).as<bool>()[i] = c.in(0).as<uint8_t>()[i] == 0;
}

void ref_Where(KernelContext& c) {
  const TensorView &k = c.in(0), &a = c.in(1), &b = c.in(2);
  const TensorRef& y = c.out(0);
  dispatch_moved(c, a.dtype, [&]<class T>() {
    for_each_index<3>(
        y.shape,
        {broadcast_strides(k.shape, y.shape), broadcast_strides(a.shape, y.shape), broadcast_strides(b.shape, y.shape)},
        [&](int64_t i, const auto& at) {
          y.as<T>()[i] = k.as<uint8_t>()[at[0]] ? a.as<T>()[at[1]] : b.as<T>()[at[2]];
        });
  });
}

}  // namespace ingot
