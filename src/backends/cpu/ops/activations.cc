// ingot.gated_activation, ingot.activation and ingot.softcap on the CPU (kernels/rows).
#include "backends/backend.h"
#include "backends/cpu/ops/activation_kind.h"

namespace ingot {
namespace {

struct Activation {
  const rows::Kernels& kernels;
  rows::ActivationKind kind;
  float cap;
};

// An exponential and a division cost about as much as four multiply-adds of a product.
int64_t work(const BoundShapes& s) { return 4 * s.outputs[0].num_elements(); }

// Elements are cut at multiples of this between threads.
constexpr int64_t kGrain = 64;

void run_activation(KernelContext& c) {
  const Activation& a = *static_cast<const Activation*>(c.prepared);
  const Range r = c.share(c.out(0).num_elements(), kGrain);
  a.kernels.activation(a.kind, c.in(0).as<float>() + r.begin, c.out(0).as<float>() + r.begin, r.end - r.begin);
}

void run_softcap(KernelContext& c) {
  const Activation& a = *static_cast<const Activation*>(c.prepared);
  const Range r = c.share(c.out(0).num_elements(), kGrain);
  a.kernels.softcap(c.in(0).as<float>() + r.begin, a.cap, c.out(0).as<float>() + r.begin, r.end - r.begin);
}

// One input: rows are [gate | up]. Pieces of rows, so that one wide row can be shared too.
void run_gated(KernelContext& c) {
  const Activation& a = *static_cast<const Activation*>(c.prepared);
  const bool packed = !c.has_input(1);
  const int64_t width = c.out(0).shape.at(-1);
  const float* gate = c.in(0).as<float>();
  float* y = c.out(0).as<float>();
  const Range r = c.share(c.out(0).num_elements(), kGrain);
  if (!packed)
    return a.kernels.gated_activation(a.kind, gate + r.begin, c.in(1).as<float>() + r.begin, y + r.begin,
                                      r.end - r.begin);
  for (int64_t i = r.begin; i < r.end;) {
    const int64_t row = i / width, end = std::min(r.end, (row + 1) * width), at = i + row * width;
    a.kernels.gated_activation(a.kind, gate + at, gate + at + width, y + i, end - i);
    i = end;
  }
}

Kernel make(std::string_view name, KernelFn run, const NodeView& v, uint32_t inplace_inputs) {
  const Isa isa = current_isa();
  const std::string activation = v.node.attributes.get_string("activation");
  return {.name = fmt::format("{}_{}", name, isa_name(isa)),
          .run = run,
          .prepared = std::make_shared<Activation>(
              Activation{rows::kernels_for(isa), activation_kind(activation).value_or(rows::ActivationKind::kRelu),
                         v.node.attributes.get_float("cap")}),
          .work = work,
          .inplace_inputs = inplace_inputs};
}

}  // namespace

Support cpu_supports_activation(const NodeView& v) {
  const std::string name = v.node.attributes.get_string("activation");
  if (!activation_kind(name)) return Support::no("activation '{}'", name);
  if (v.input_type(0).dtype != DType::kF32) return Support::no("the input is {}", v.input_type(0).to_string());
  return Support::yes();
}

Result<Kernel> cpu_prepare_activation(const NodeView& v, ThreadPool&) {
  return make(v.node.attributes.get_string("activation"), run_activation, v, 1);
}

Support cpu_supports_gated_activation(const NodeView& v) { return cpu_supports_activation(v); }

Result<Kernel> cpu_prepare_gated_activation(const NodeView& v, ThreadPool&) {
  return make("gated_" + v.node.attributes.get_string("activation"), run_gated, v, v.has_input(1) ? 3 : 0);
}

Support cpu_supports_softcap(const NodeView& v) {
  if (v.input_type(0).dtype != DType::kF32) return Support::no("the input is {}", v.input_type(0).to_string());
  return Support::yes();
}

Result<Kernel> cpu_prepare_softcap(const NodeView& v, ThreadPool&) { return make("softcap", run_softcap, v, 1); }

}  // namespace ingot
