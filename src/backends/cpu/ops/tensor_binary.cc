// Elementwise functions of two float32 tensors with broadcasting.
#include "backends/backend.h"
#include "backends/cpu/kernels/pointwise/pointwise.h"
#include "backends/cpu/kernels/simd/float_isa.h"
#include "backends/cpu/ops/strides.h"

namespace ingot {
namespace {

constexpr int64_t kGrain = 64;

struct Prepared {
  const PointwiseKernels* kernels;
  Binary binary;
  bool root = false;  // x^0.5
};

std::optional<Binary> binary_of(Op op) {
  switch (op) {
    case Op::kAdd: return Binary::kAdd;
    case Op::kSub: return Binary::kSub;
    case Op::kMul: return Binary::kMul;
    case Op::kDiv: return Binary::kDiv;
    case Op::kMax: return Binary::kMax;
    case Op::kMin: return Binary::kMin;
    case Op::kPow: return Binary::kSquare;
    default: return std::nullopt;
  }
}

// The constant exponent, if it is one for which there is something faster than powers.
std::optional<float> exponent_of(const NodeView& v) {
  const Tensor* t = v.constant(1);
  if (!t || !t->defined() || t->dtype() != DType::kF32 || t->shape().num_elements() != 1) return std::nullopt;
  const float e = *t->as<float>();
  return e == 2.0f || e == 0.5f ? std::optional(e) : std::nullopt;
}

int64_t work(const BoundShapes& s) { return 2 * s.outputs[0].num_elements(); }

// x^0.5: a root, but of -inf it is inf and of -0 it is 0. y may be x.
void power_of_half(const PointwiseKernels& kernels, const float* x, float* y, int64_t n) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] == -kInf ? kInf : x[i] + 0.0f;
  kernels.unary(Unary::kSqrt, y, y, n);
}

void run(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  const float *a = c.in(0).as<float>(), *b = c.in(1).as<float>();
  float* y = c.out(0).as<float>();
  const Walk<2> walk = broadcast_walk<2>({&c.in(0).shape, &c.in(1).shape}, c.out(0).shape);
  const int64_t inner = walk.inner();
  const auto [a_step, b_step] = walk.inner_step();
  const Range r = c.share(c.out(0).num_elements(), kGrain);
  for (int64_t at = r.begin; at < r.end;) {
    const int64_t row = at / inner, from = at - row * inner, n = std::min(inner - from, r.end - at);
    const auto [ra, rb] = walk.start(row);
    if (p.root)
      power_of_half(*p.kernels, a + ra + from * a_step, y + at, n);
    else
      p.kernels->binary(p.binary, a + ra + from * a_step, static_cast<int>(a_step), b + rb + from * b_step,
                        static_cast<int>(b_step), y + at, n);
    at += n;
  }
}

}  // namespace

Support cpu_supports_tensor_binary(const NodeView& v) {
  if (v.node.inputs.size() != 2) return Support::no("{} operands", v.node.inputs.size());
  for (int i : {0, 1})
    if (v.input_type(i).dtype != DType::kF32) return Support::no("operand {} is {}", i, v.input_type(i).to_string());
  if (v.node.op == Op::kPow && !exponent_of(v)) return Support::no("the exponent is not 2 or 0.5");
  return Support::yes();
}

Result<Kernel> cpu_prepare_tensor_binary(const NodeView& v, ThreadPool&) {
  const Isa isa = float_isa();
  auto p = std::make_shared<Prepared>(Prepared{&pointwise(isa), *binary_of(v.node.op)});
  p->root = v.node.op == Op::kPow && exponent_of(v) == 0.5f;
  return Kernel{
      .name = fmt::format("binary_{}", isa_name(isa)), .run = run, .prepared = p, .work = work, .inplace_inputs = 3};
}

}  // namespace ingot
