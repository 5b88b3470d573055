// Elementwise mathematical functions.
#include <cmath>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {

void ref_Acos(KernelContext& c) {
  map_float(c, [](auto x) { return std::acos(x); });
}
void ref_Acosh(KernelContext& c) {
  map_float(c, [](auto x) { return std::acosh(x); });
}
void ref_Asin(KernelContext& c) {
  map_float(c, [](auto x) { return std::asin(x); });
}
void ref_Asinh(KernelContext& c) {
  map_float(c, [](auto x) { return std::asinh(x); });
}
void ref_Atan(KernelContext& c) {
  map_float(c, [](auto x) { return std::atan(x); });
}
void ref_Atanh(KernelContext& c) {
  map_float(c, [](auto x) { return std::atanh(x); });
}
void ref_Ceil(KernelContext& c) {
  map_float(c, [](auto x) { return std::ceil(x); });
}
void ref_Cos(KernelContext& c) {
  map_float(c, [](auto x) { return std::cos(x); });
}
void ref_Cosh(KernelContext& c) {
  map_float(c, [](auto x) { return std::cosh(x); });
}
void ref_Erf(KernelContext& c) {
  map_float(c, [](auto x) { return std::erf(x); });
}
void ref_Exp(KernelContext& c) {
  map_float(c, [](auto x) { return std::exp(x); });
}
void ref_Floor(KernelContext& c) {
  map_float(c, [](auto x) { return std::floor(x); });
}
void ref_Log(KernelContext& c) {
  map_float(c, [](auto x) { return std::log(x); });
}
void ref_Reciprocal(KernelContext& c) {
  map_float(c, [](auto x) { return 1 / x; });
}
// Halves go to the even neighbour.
void ref_Round(KernelContext& c) {
  map_float(c, [](auto x) { return std::nearbyint(x); });
}
void ref_Sin(KernelContext& c) {
  map_float(c, [](auto x) { return std::sin(x); });
}
void ref_Sinh(KernelContext& c) {
  map_float(c, [](auto x) { return std::sinh(x); });
}
void ref_Sqrt(KernelContext& c) {
  map_float(c, [](auto x) { return std::sqrt(x); });
}
void ref_Tan(KernelContext& c) {
  map_float(c, [](auto x) { return std::tan(x); });
}
void ref_Tanh(KernelContext& c) {
  map_float(c, [](auto x) { return std::tanh(x); });
}

void ref_Abs(KernelContext& c) {
  map_number(c, []<class T>(T x) -> T {
    if constexpr (std::is_floating_point_v<T>) return std::fabs(x);
    return x < T(0) ? static_cast<T>(0 - static_cast<uint64_t>(x)) : x;
  });
}

void ref_Neg(KernelContext& c) {
  map_number(c, []<class T>(T x) -> T {
    if constexpr (std::is_floating_point_v<T>) return -x;
    return static_cast<T>(0 - static_cast<uint64_t>(x));
  });
}

void ref_Sign(KernelContext& c) {
  map_number(c, []<class T>(T x) -> T { return x > T(0) ? T(1) : x < T(0) ? T(-1) : x; });
}

void ref_BitwiseNot(KernelContext& c) {
  dispatch_integer(c, c.in(0).dtype, [&]<class T>() {
    for (int64_t i = 0; i < c.in(0).num_elements(); ++i) c.out(0).as<T>()[i] = static_cast<T>(~c.in(0).as<T>()[i]);
  });
}

namespace {

// bool results from floats.
template <class F>
void test_float(KernelContext& c, F f) {
  dispatch_float(c, c.in(0).dtype, [&]<class T>() {
    for (int64_t i = 0; i < c.in(0).num_elements(); ++i)
      c.out(0).as<bool>()[i] = f(static_cast<Compute<T>>(c.in(0).as<T>()[i]));
  });
}

}  // namespace

void ref_IsNaN(KernelContext& c) {
  test_float(c, [](auto x) { return std::isnan(x); });
}

void ref_IsInf(KernelContext& c) {
  const bool negative = c.node.attributes.get_int("detect_negative", 1) != 0;
  const bool positive = c.node.attributes.get_int("detect_positive", 1) != 0;
  test_float(c, [&](auto x) { return std::isinf(x) && (x < 0 ? negative : positive); });
}

}  // namespace ingot
