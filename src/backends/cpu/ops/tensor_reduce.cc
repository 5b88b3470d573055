// Softmax, LogSoftmax, ReduceMean, ReduceSum and ReduceMax of float32, along adjacent axes; BatchNormalization.
#include <algorithm>
#include <cmath>

#include "backends/backend.h"
#include "backends/cpu/kernels/pointwise/pointwise.h"
#include "backends/cpu/kernels/simd/float_isa.h"

namespace ingot {
namespace {

// Columns that one call reduces side by side.
constexpr int64_t kColumns = 64;

// A tensor as [outer, size, inner] around what is reduced.
struct Axes {
  int first, last;  // inclusive
};
struct View {
  int64_t outer, size, inner;
  View(const Shape& s, Axes a)
      : outer(s.product(0, a.first)), size(s.product(a.first, a.last + 1)), inner(s.product(a.last + 1, s.rank())) {}
};

struct Prepared {
  const PointwiseKernels* kernels;
  Op op;
  Axes axes{0, 0};
};

int64_t work(const BoundShapes& s) { return 4 * s.inputs[0].num_elements(); }

// visit(offset of the first element, columns) for this thread's share of the blocks of columns.
template <class Visit>
void for_each_block(const KernelContext& c, const View& v, Visit visit) {
  const int64_t blocks = (v.inner + kColumns - 1) / kColumns;
  const Range r = c.share(v.outer * blocks);
  for (int64_t i = r.begin; i < r.end; ++i) {
    const int64_t o = i / blocks, j = i % blocks * kColumns;
    visit(o, j, std::min(kColumns, v.inner - j));
  }
}

void run_softmax(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  const View v(c.in(0).shape, p.axes);
  const float* x = c.in(0).as<float>();
  float* y = c.out(0).as<float>();
  const bool logarithm = p.op == Op::kLogSoftmax;
  if (v.inner == 1) {
    const Range r = c.share(v.outer);
    for (int64_t i = r.begin; i < r.end; ++i) p.kernels->softmax(x + i * v.size, y + i * v.size, v.size, logarithm);
    return;
  }
  for_each_block(c, v, [&](int64_t o, int64_t j, int64_t columns) {
    float scratch[2 * kColumns];
    const int64_t at = o * v.size * v.inner + j;
    p.kernels->softmax_columns(x + at, y + at, v.size, columns, v.inner, logarithm, scratch);
  });
}

void run_reduce(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  const View v(c.in(0).shape, p.axes);
  const float* x = c.in(0).as<float>();
  float* y = c.out(0).as<float>();
  const float count = static_cast<float>(v.size);
  const bool max = p.op == Op::kReduceMax, mean = p.op == Op::kReduceMean;
  if (v.inner == 1) {
    const Range r = c.share(v.outer);
    for (int64_t i = r.begin; i < r.end; ++i) {
      const float* run = x + i * v.size;
      const float value = max ? p.kernels->max(run, v.size) : p.kernels->sum(run, v.size);
      y[i] = mean ? value / count : value;
    }
    return;
  }
  for_each_block(c, v, [&](int64_t o, int64_t j, int64_t columns) {
    float* to = y + o * v.inner + j;
    p.kernels->reduce_columns(max ? Binary::kMax : Binary::kAdd, x + o * v.size * v.inner + j, v.size, columns, v.inner,
                              to);
    if (mean) p.kernels->binary(Binary::kDiv, to, 1, &count, 0, to, columns);
  });
}

void run_batch_norm(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  const Shape& s = c.in(0).shape;
  const int64_t plane = s.product(2, s.rank());
  const float epsilon = c.node.attributes.get_float("epsilon", 1e-5f);
  const Range r = c.share(s[0] * s[1]);
  for (int64_t i = r.begin; i < r.end; ++i) {
    const int64_t ch = i % s[1];
    const float scale = c.in(1).as<float>()[ch] / std::sqrt(c.in(4).as<float>()[ch] + epsilon);
    const float shift = c.in(2).as<float>()[ch] - c.in(3).as<float>()[ch] * scale;
    p.kernels->affine(c.in(0).as<float>() + i * plane, scale, shift, c.out(0).as<float>() + i * plane, plane);
  }
}

// The axes, if they are known now and adjacent.
std::optional<Axes> axes_of(const NodeView& v) {
  const int rank = v.input_type(0).rank();
  if (v.node.op == Op::kSoftmax || v.node.op == Op::kLogSoftmax) {
    const int axis = static_cast<int>(v.node.attributes.get_int("axis", -1));
    const int at = axis < 0 ? axis + rank : axis;
    return Axes{at, at};
  }
  std::vector<int64_t> axes;
  if (v.has_input(1)) {
    const Tensor* t = v.constant(1);
    if (!t || !t->defined() || t->dtype() != DType::kI64) return std::nullopt;
    axes.assign(t->as<int64_t>(), t->as<int64_t>() + t->shape().num_elements());
  }
  if (axes.empty()) {
    if (v.node.attributes.get_int("noop_with_empty_axes")) return std::nullopt;
    return Axes{0, rank - 1};
  }
  for (int64_t& a : axes) a += a < 0 ? rank : 0;
  std::ranges::sort(axes);
  for (size_t i = 1; i < axes.size(); ++i)
    if (axes[i] != axes[i - 1] + 1) return std::nullopt;
  if (axes.front() < 0 || axes.back() >= rank) return std::nullopt;
  return Axes{static_cast<int>(axes.front()), static_cast<int>(axes.back())};
}

}  // namespace

Support cpu_supports_tensor_reduce(const NodeView& v) {
  const Type& x = v.input_type(0);
  if (x.dtype != DType::kF32 || !x.ranked() || x.rank() == 0) return Support::no("the input is {}", x.to_string());
  if (!axes_of(v)) return Support::no("its axes are not constant and adjacent");
  return Support::yes();
}

Result<Kernel> cpu_prepare_tensor_reduce(const NodeView& v, ThreadPool&) {
  const Isa isa = float_isa();
  const bool softmax = v.node.op == Op::kSoftmax || v.node.op == Op::kLogSoftmax;
  return Kernel{.name = fmt::format("{}_{}", softmax ? "softmax" : "reduce", isa_name(isa)),
                .run = softmax ? run_softmax : run_reduce,
                .prepared = std::make_shared<Prepared>(Prepared{&pointwise(isa), v.node.op, *axes_of(v)}),
                .work = work,
                .inplace_inputs = softmax ? 1u : 0u};
}

Support cpu_supports_tensor_batch_norm(const NodeView& v) {
  for (int i = 0; i < 5; ++i)
    if (v.input_type(i).dtype != DType::kF32) return Support::no("operand {} is {}", i, v.input_type(i).to_string());
  const Type& x = v.input_type(0);
  if (!x.ranked() || x.rank() < 2) return Support::no("the input is {}", x.to_string());
  for (int i = 1; i < 5; ++i)
    if (!v.input_type(i).ranked() || v.input_type(i).rank() != 1 || !(v.input_type(i).dims->at(0) == x.dims->at(1)))
      return Support::no("operand {} has not one element per channel", i);
  return Support::yes();
}

Result<Kernel> cpu_prepare_tensor_batch_norm(const NodeView& v, ThreadPool&) {
  const Isa isa = float_isa();
  return Kernel{.name = fmt::format("batch_norm_{}", isa_name(isa)),
                .run = run_batch_norm,
                .prepared = std::make_shared<Prepared>(Prepared{&pointwise(isa), v.node.op}),
                .work = work,
                .inplace_inputs = 1};
}

}  // namespace ingot
