// Binary arithmetic with broadcasting. Integers wrap on overflow; division by integer zero ends the run.
#include <cmath>
#include <limits>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

// f works on floats as they are and on integers widened to uint64_t, where overflow wraps.
template <class F>
void wrapping(KernelContext& c, F f) {
  dispatch_number(c, c.in(0).dtype, [&]<class T>() {
    map_binary<T, T>(c, [&](T a, T b) {
      if constexpr (kIsFloating<T>)
        return static_cast<T>(f(Compute<T>(a), Compute<T>(b)));
      else
        return static_cast<T>(f(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
    });
  });
}

template <class F>
void bitwise(KernelContext& c, F f) {
  dispatch_integer(c, c.in(0).dtype,
                   [&]<class T>() { map_binary<T, T>(c, [&](T a, T b) { return static_cast<T>(f(a, b)); }); });
}

// a / b and a % b truncated, without the overflow of the least integer by -1.
template <class T>
T quotient(T a, T b) {
  if constexpr (std::is_signed_v<T>)
    if (b == T(-1)) return static_cast<T>(0 - static_cast<uint64_t>(a));
  return static_cast<T>(a / b);
}
template <class T>
T remainder_of(T a, T b) {
  if constexpr (std::is_signed_v<T>)
    if (b == T(-1)) return T(0);
  return static_cast<T>(a % b);
}

template <class T>
bool has_zero(const TensorView& t) {
  for (int64_t i = 0; i < t.num_elements(); ++i)
    if (t.as<T>()[i] == T(0)) return true;
  return false;
}

}  // namespace

void ref_Add(KernelContext& c) {
  wrapping(c, [](auto a, auto b) { return a + b; });
}
void ref_Sub(KernelContext& c) {
  wrapping(c, [](auto a, auto b) { return a - b; });
}
void ref_Mul(KernelContext& c) {
  wrapping(c, [](auto a, auto b) { return a * b; });
}

void ref_Div(KernelContext& c) {
  if (dispatch_if_float(c.in(0).dtype, [&]<class T>() {
        map_binary<T, T>(c, [](T a, T b) { return static_cast<T>(Compute<T>(a) / Compute<T>(b)); });
      }))
    return;
  dispatch_integer(c, c.in(0).dtype, [&]<class T>() {
    if (has_zero<T>(c.in(1))) return invalid_data(c, "division by zero");
    map_binary<T, T>(c, [](T a, T b) { return quotient(a, b); });
  });
}

void ref_Mod(KernelContext& c) {
  const bool fmod = c.node.attributes.get_int("fmod") != 0;
  if (dispatch_if_float(c.in(0).dtype, [&]<class T>() {
        map_binary<T, T>(c, [&](T a, T b) {
          using V = Compute<T>;
          V r = std::fmod(V(a), V(b));
          if (!fmod && r != 0 && (r < 0) != (V(b) < 0)) r += V(b);
          return static_cast<T>(r);
        });
      }))
    return;
  dispatch_integer(c, c.in(0).dtype, [&]<class T>() {
    if (has_zero<T>(c.in(1))) return invalid_data(c, "division by zero");
    map_binary<T, T>(c, [&](T a, T b) {
      T r = remainder_of(a, b);
      if (!fmod && r != 0 && (r < T(0)) != (b < T(0))) r = static_cast<T>(r + b);
      return r;
    });
  });
}

namespace {

// Integer powers by squaring, wrapping; a negative exponent gives what 1 / power truncates to.
template <class T>
T integer_power(T base, int64_t exponent) {
  if (exponent < 0) return base == T(1) ? T(1) : base == T(-1) ? (exponent % 2 ? T(-1) : T(1)) : T(0);
  uint64_t result = 1, square = static_cast<uint64_t>(base);
  for (; exponent > 0; exponent >>= 1, square *= square)
    if (exponent & 1) result *= square;
  return static_cast<T>(result);
}

}  // namespace

void ref_Pow(KernelContext& c) {
  const TensorView &a = c.in(0), &b = c.in(1);
  const TensorRef& y = c.out(0);
  dispatch_number(c, a.dtype, [&]<class A>() {
    dispatch_number(c, b.dtype, [&]<class B>() {
      for_each_index<2>(y.shape, {broadcast_strides(a.shape, y.shape), broadcast_strides(b.shape, y.shape)},
                        [&](int64_t i, const auto& at) {
                          const A base = a.as<A>()[at[0]];
                          const B exponent = b.as<B>()[at[1]];
                          if constexpr (!kIsFloating<A> && !kIsFloating<B>) {
                            y.as<A>()[i] = integer_power(base, static_cast<int64_t>(exponent));
                          } else {
                            const double v = std::pow(static_cast<double>(base), static_cast<double>(exponent));
                            if constexpr (kIsFloating<A>)
                              y.as<A>()[i] = static_cast<A>(static_cast<Compute<A>>(v));
                            else
                              y.as<A>()[i] = std::fabs(v) < 9e18 ? static_cast<A>(static_cast<int64_t>(v)) : A(0);
                          }
                        });
    });
  });
}

void ref_BitwiseAnd(KernelContext& c) {
  bitwise(c, [](auto a, auto b) { return a & b; });
}
void ref_BitwiseOr(KernelContext& c) {
  bitwise(c, [](auto a, auto b) { return a | b; });
}
void ref_BitwiseXor(KernelContext& c) {
  bitwise(c, [](auto a, auto b) { return a ^ b; });
}

// Left shifts are logical, right shifts arithmetic; an amount outside the type's width shifts everything out.
void ref_BitShift(KernelContext& c) {
  const bool left = c.node.attributes.get_string("direction") == "LEFT";
  dispatch_integer(c, c.in(0).dtype, [&]<class T>() {
    map_binary<T, T>(c, [&](T a, T b) {
      const bool out = b < T(0) || static_cast<uint64_t>(b) >= sizeof(T) * 8;
      if (left) return static_cast<T>(out ? 0 : static_cast<uint64_t>(a) << b);
      if (out) return static_cast<T>(a < T(0) ? -1 : 0);
      return static_cast<T>(a >> b);
    });
  });
}

}  // namespace ingot
