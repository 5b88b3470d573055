// Elementwise functions of one float32 tensor: activations, Clip, exp and its kin.
#include <limits>

#include "backends/backend.h"
#include "backends/cpu/kernels/pointwise/pointwise.h"
#include "backends/cpu/kernels/simd/float_isa.h"

namespace ingot {
namespace {

// Threads get whole cache lines.
constexpr int64_t kGrain = 64;

struct Prepared {
  const PointwiseKernels* kernels;
  ActSpec act;
  Unary unary = Unary::kExp;
};

std::optional<Unary> unary_of(Op op) {
  switch (op) {
    case Op::kExp: return Unary::kExp;
    case Op::kLog: return Unary::kLog;
    case Op::kErf: return Unary::kErf;
    case Op::kSqrt: return Unary::kSqrt;
    case Op::kNeg: return Unary::kNeg;
    case Op::kAbs: return Unary::kAbs;
    case Op::kReciprocal: return Unary::kReciprocal;
    default: return std::nullopt;
  }
}

ActSpec activation_of(const Node& n) {
  const Attributes& a = n.attributes;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  switch (n.op) {
    case Op::kRelu: return {Act::kRelu};
    case Op::kLeakyRelu: return {Act::kLeakyRelu, a.get_float("alpha", 0.01f)};
    case Op::kSigmoid: return {Act::kSigmoid};
    case Op::kTanh: return {Act::kTanh};
    case Op::kHardSigmoid: return {Act::kHardSigmoid, a.get_float("alpha", 0.2f), a.get_float("beta", 0.5f)};
    case Op::kHardSwish: return {Act::kHardSwish};
    case Op::kSwish: return {Act::kSilu, a.get_float("alpha", 1)};
    case Op::kGelu: return {a.get_string("approximate", "none") == "tanh" ? Act::kGeluTanh : Act::kGelu};
    case Op::kClip: return {Act::kClip, -kInfinity, kInfinity};
    default: return {};
  }
}

int64_t work(const BoundShapes& s) { return 4 * s.outputs[0].num_elements(); }

void run(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  const Range r = c.share(c.in(0).num_elements(), kGrain);
  const float* x = c.in(0).as<float>() + r.begin;
  float* y = c.out(0).as<float>() + r.begin;
  if (p.act.kind == Act::kNone) return p.kernels->unary(p.unary, x, y, r.end - r.begin);
  ActSpec act = p.act;
  if (act.kind == Act::kClip) {
    if (c.has_input(1)) act.alpha = *c.in(1).as<float>();
    if (c.has_input(2)) act.beta = *c.in(2).as<float>();
  }
  p.kernels->activate(act, x, y, r.end - r.begin);
}

}  // namespace

Support cpu_supports_tensor_unary(const NodeView& v) {
  for (int i = 0; i < static_cast<int>(v.node.inputs.size()); ++i)
    if (v.has_input(i) && v.input_type(i).dtype != DType::kF32)
      return Support::no("operand {} is {}", i, v.input_type(i).to_string());
  return Support::yes();
}

Result<Kernel> cpu_prepare_tensor_unary(const NodeView& v, ThreadPool&) {
  const Isa isa = float_isa();
  auto p = std::make_shared<Prepared>(Prepared{&pointwise(isa), activation_of(v.node)});
  if (const auto unary = unary_of(v.node.op)) p->unary = *unary;
  return Kernel{
      .name = fmt::format("unary_{}", isa_name(isa)), .run = run, .prepared = p, .work = work, .inplace_inputs = 1};
}

}  // namespace ingot
