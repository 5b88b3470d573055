// Reductions along axes, ArgMax and ArgMin. Floats are summed in double, in index order.
#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

using Strides = std::array<int64_t, limits::kRankMax>;

// Which axes are reduced, as inference understands axes and noop_with_empty_axes.
std::array<bool, limits::kRankMax> reduced_axes(const KernelContext& c) {
  const int rank = c.in(0).shape.rank();
  std::array<bool, limits::kRankMax> out{};
  const int64_t n = c.has_input(1) ? c.in(1).num_elements() : 0;
  if (n == 0 && !c.node.attributes.get_int("noop_with_empty_axes")) out.fill(true);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t axis = index_at(c.in(1), i);
    out[static_cast<size_t>(axis < 0 ? axis + rank : axis)] = true;
  }
  return out;
}

// Strides that take an input index to its output element.
Strides output_strides(const KernelContext& c, const std::array<bool, limits::kRankMax>& reduced) {
  const Shape& in = c.in(0).shape;
  Strides out{};
  int64_t n = 1;
  for (int d = in.rank() - 1; d >= 0; --d) {
    const size_t at = static_cast<size_t>(d);
    out[at] = reduced[at] ? 0 : n;
    if (!reduced[at]) n *= in[d];
  }
  return out;
}

// acc = f(acc, x) over each group, starting from `initial`; then y = finish(acc, group size).
template <class T, class A, class F, class G>
void reduce(KernelContext& c, A initial, F f, G finish) {
  const TensorView& x = c.in(0);
  const int64_t n = c.out(0).num_elements();
  std::vector<A> acc(static_cast<size_t>(n), initial);
  for_each_index<1>(x.shape, {output_strides(c, reduced_axes(c))}, [&](int64_t i, const auto& at) {
    A& a = acc[static_cast<size_t>(at[0])];
    a = f(a, x.as<T>()[i]);
  });
  const double group = n ? static_cast<double>(x.num_elements()) / static_cast<double>(n) : 0;
  for (int64_t i = 0; i < n; ++i) c.out(0).as<T>()[i] = static_cast<T>(finish(acc[static_cast<size_t>(i)], group));
}

// Sums and products: f(acc, value) in double or wrapping uint64_t; finish(acc, group) after.
template <class F, class G>
void reduce_sum(KernelContext& c, int initial, F f, G finish) {
  dispatch_number(c, c.in(0).dtype, [&]<class T>() {
    reduce<T>(
        c, Sum<T>(initial), [&](Sum<T> a, T x) { return f(a, static_cast<Sum<T>>(x)); },
        [&](Sum<T> a, double group) {
          if constexpr (kIsFloating<T>)
            return static_cast<Compute<T>>(finish(a, group));
          else if constexpr (std::is_signed_v<T>)
            return finish(static_cast<int64_t>(a), group);
          else
            return finish(a, group);
        });
  });
}

constexpr auto kAsIs = [](auto a, double) { return a; };

}  // namespace

void ref_ReduceSum(KernelContext& c) {
  reduce_sum(c, 0, [](auto a, auto x) { return a + x; }, kAsIs);
}
void ref_ReduceProd(KernelContext& c) {
  reduce_sum(c, 1, [](auto a, auto x) { return a * x; }, kAsIs);
}
void ref_ReduceSumSquare(KernelContext& c) {
  reduce_sum(c, 0, [](auto a, auto x) { return a + x * x; }, kAsIs);
}
void ref_ReduceMean(KernelContext& c) {
  reduce_sum(
      c, 0, [](auto a, auto x) { return a + x; },
      [](auto a, double group) {
        if constexpr (std::is_floating_point_v<decltype(a)>) return a / group;
        return group > 0 ? a / static_cast<decltype(a)>(group) : a;
      });
}
void ref_ReduceL1(KernelContext& c) {
  reduce_sum(
      c, 0,
      [](auto a, auto x) {
        if constexpr (std::is_floating_point_v<decltype(a)>) return a + std::fabs(x);
        return a + (static_cast<int64_t>(x) < 0 ? 0 - x : x);
      },
      kAsIs);
}
void ref_ReduceL2(KernelContext& c) {
  reduce_sum(
      c, 0, [](auto a, auto x) { return a + x * x; },
      [](auto a, double) { return static_cast<decltype(a)>(std::sqrt(static_cast<double>(a))); });
}
void ref_ReduceLogSum(KernelContext& c) {
  reduce_sum(
      c, 0, [](auto a, auto x) { return a + x; },
      [](auto a, double) { return static_cast<decltype(a)>(std::log(static_cast<double>(a))); });
}

namespace {

template <bool kMax>
void reduce_extreme(KernelContext& c) {
  const auto run = [&]<class T>() {
    using V = Compute<T>;
    V worst;
    if constexpr (kIsFloating<T>)
      worst = kMax ? -std::numeric_limits<V>::infinity() : std::numeric_limits<V>::infinity();
    else
      worst = kMax ? std::numeric_limits<V>::lowest() : std::numeric_limits<V>::max();
    reduce<T>(c, worst, [](V a, T x) { return a != a || (kMax ? a > V(x) : a < V(x)) ? a : V(x); }, kAsIs);
  };
  if (c.in(0).dtype == DType::kBool)
    reduce<uint8_t>(
        c, uint8_t{kMax ? 0 : 1},
        [](uint8_t a, uint8_t x) { return static_cast<uint8_t>(kMax ? (a | (x != 0)) : (a & (x != 0))); }, kAsIs);
  else
    dispatch_number(c, c.in(0).dtype, run);
}

}  // namespace

void ref_ReduceMax(KernelContext& c) { reduce_extreme<true>(c); }
void ref_ReduceMin(KernelContext& c) { reduce_extreme<false>(c); }

// log(sum(exp(x - m))) + m with m the group's maximum, kept as (m, sum) and rescaled when m grows.
void ref_ReduceLogSumExp(KernelContext& c) {
  struct State {
    double max = -std::numeric_limits<double>::infinity(), sum = 0;
  };
  dispatch_number(c, c.in(0).dtype, [&]<class T>() {
    reduce<T>(
        c, State{},
        [](State s, T value) {
          const double x = static_cast<double>(value);
          if (x > s.max) s = {x, s.sum * std::exp(s.max - x)};
          s.sum += x == s.max ? 1 : std::exp(x - s.max);
          return s;
        },
        [](State s, double) { return static_cast<Compute<T>>(s.sum > 0 ? std::log(s.sum) + s.max : s.max); });
  });
}

namespace {

template <bool kMax>
void arg_extreme(KernelContext& c) {
  const TensorView& x = c.in(0);
  const AxisView v(x.shape, axis_of(c, 0, x.shape.rank()));
  const bool last = c.node.attributes.get_int("select_last_index") != 0;
  dispatch_number(c, x.dtype, [&]<class T>() {
    for (int64_t o = 0; o < v.outer; ++o)
      for (int64_t i = 0; i < v.inner; ++i) {
        int64_t best = 0;
        const auto at = [&](int64_t j) { return Compute<T>(x.as<T>()[(o * v.size + j) * v.inner + i]); };
        for (int64_t j = 1; j < v.size; ++j)
          if ((kMax ? at(j) > at(best) : at(j) < at(best)) || (last && at(j) == at(best))) best = j;
        c.out(0).as<int64_t>()[o * v.inner + i] = best;
      }
  });
}

}  // namespace

void ref_ArgMax(KernelContext& c) { arg_extreme<true>(c); }
void ref_ArgMin(KernelContext& c) { arg_extreme<false>(c); }

}  // namespace ingot
