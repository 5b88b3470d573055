// Comparisons, logic, Where, and sums and products of integers on the CPU, with broadcasting. Integers wrap.
#include <functional>
#include <type_traits>

#include "backends/backend.h"
#include "backends/cpu/ops/strides.h"

namespace ingot {
namespace {

constexpr int64_t kGrain = 256;

int64_t work(const BoundShapes& s) { return 2 * s.outputs[0].num_elements(); }

template <class F>
struct Wrapping {
  template <class T>
  T operator()(T a, T b) const {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(F{}(static_cast<U>(a), static_cast<U>(b)));
  }
};

// y[i] = f(a[i], b[i])
template <class T, class Out, class F>
void run(KernelContext& c) {
  const Walk<2> walk = broadcast_walk<2>({&c.in(0).shape, &c.in(1).shape}, c.out(0).shape);
  const int64_t inner = walk.inner();
  const auto [a_step, b_step] = walk.inner_step();
  const Range own = c.share(c.out(0).num_elements(), kGrain);
  for (int64_t at = own.begin; at < own.end;) {
    const int64_t row = at / inner, from = at - row * inner, n = std::min(inner - from, own.end - at);
    const auto [ra, rb] = walk.start(row);
    const T *a = c.in(0).as<T>() + ra + from * a_step, *b = c.in(1).as<T>() + rb + from * b_step;
    Out* y = c.out(0).as<Out>() + at;
    if (b_step == 0) {
      for (int64_t i = 0; i < n; ++i) y[i] = static_cast<Out>(F{}(a[i * a_step], *b));
    } else if (a_step == 0) {
      for (int64_t i = 0; i < n; ++i) y[i] = static_cast<Out>(F{}(*a, b[i]));
    } else {
      for (int64_t i = 0; i < n; ++i) y[i] = static_cast<Out>(F{}(a[i], b[i]));
    }
    at += n;
  }
}

template <class T>
void run_where(KernelContext& c) {
  const Walk<3> walk = broadcast_walk<3>({&c.in(0).shape, &c.in(1).shape, &c.in(2).shape}, c.out(0).shape);
  const int64_t inner = walk.inner();
  const auto [which_step, a_step, b_step] = walk.inner_step();
  const Range own = c.share(c.out(0).num_elements(), kGrain);
  for (int64_t at = own.begin; at < own.end;) {
    const int64_t row = at / inner, from = at - row * inner, n = std::min(inner - from, own.end - at);
    const auto [rw, ra, rb] = walk.start(row);
    const uint8_t* which = c.in(0).as<uint8_t>() + rw + from * which_step;
    const T *a = c.in(1).as<T>() + ra + from * a_step, *b = c.in(2).as<T>() + rb + from * b_step;
    T* y = c.out(0).as<T>() + at;
    for (int64_t i = 0; i < n; ++i) y[i] = which[i * which_step] ? a[i * a_step] : b[i * b_step];
    at += n;
  }
}

template <class T>
KernelFn compare(Op op) {
  switch (op) {
    case Op::kEqual: return run<T, uint8_t, std::equal_to<>>;
    case Op::kLess: return run<T, uint8_t, std::less<>>;
    case Op::kLessOrEqual: return run<T, uint8_t, std::less_equal<>>;
    case Op::kGreater: return run<T, uint8_t, std::greater<>>;
    case Op::kGreaterOrEqual: return run<T, uint8_t, std::greater_equal<>>;
    default: return nullptr;
  }
}

template <class T>
KernelFn of_integers(Op op) {
  switch (op) {
    case Op::kAdd: return run<T, T, Wrapping<std::plus<>>>;
    case Op::kSub: return run<T, T, Wrapping<std::minus<>>>;
    case Op::kMul: return run<T, T, Wrapping<std::multiplies<>>>;
    default: return compare<T>(op);
  }
}

KernelFn of_bools(Op op) {
  switch (op) {
    case Op::kAnd: return run<uint8_t, uint8_t, std::logical_and<>>;
    case Op::kOr: return run<uint8_t, uint8_t, std::logical_or<>>;
    case Op::kEqual: return compare<uint8_t>(op);
    default: return nullptr;
  }
}

KernelFn where_of(DType t) {
  switch (t) {
    case DType::kBool:
    case DType::kU8:
    case DType::kI8: return run_where<uint8_t>;
    case DType::kF32:
    case DType::kI32: return run_where<uint32_t>;
    case DType::kI64:
    case DType::kF64: return run_where<uint64_t>;
    default: return nullptr;
  }
}

KernelFn find(const NodeView& v) {
  const Op op = v.node.op;
  if (op == Op::kWhere) return where_of(v.input_type(1).dtype);
  switch (v.input_type(0).dtype) {
    case DType::kF32: return compare<float>(op);
    case DType::kI32: return of_integers<int32_t>(op);
    case DType::kI64: return of_integers<int64_t>(op);
    case DType::kBool: return of_bools(op);
    default: return nullptr;
  }
}

}  // namespace

Support cpu_supports_tensor_compare(const NodeView& v) {
  return find(v) ? Support::yes() : Support::no("operands are {}", dtype_name(v.input_type(0).dtype));
}

Result<Kernel> cpu_prepare_tensor_compare(const NodeView& v, ThreadPool&) {
  return Kernel{.name = "broadcast", .run = find(v), .work = work};
}

}  // namespace ingot
