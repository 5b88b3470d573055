// ingot.rms_norm and LayerNormalization over the last axis, on the CPU (kernels/rows).
#include "backends/backend.h"
#include "backends/cpu/kernels/rows/rows.h"

namespace ingot {
namespace {

struct Norm {
  const rows::Kernels& kernels;
  float eps;
};

// A few operations an element.
int64_t work(const BoundShapes& s) { return 2 * s.outputs[0].num_elements(); }

// This thread's rows.
struct Rows {
  const float *x, *scale;
  float* y;
  int64_t count, width;
};

Rows rows_of(KernelContext& c) {
  const int64_t width = c.in(1).num_elements();
  if (width == 0) return {};
  const Range r = c.share(c.in(0).num_elements() / width);
  const int64_t at = r.begin * width;
  return {c.in(0).as<float>() + at, c.in(1).as<float>(), c.out(0).as<float>() + at, r.end - r.begin, width};
}

void run_rms_norm(KernelContext& c) {
  const Norm& norm = *static_cast<const Norm*>(c.prepared);
  const Rows r = rows_of(c);
  if (r.count > 0) norm.kernels.rms_norm(r.x, r.scale, r.y, r.count, r.width, norm.eps);
}

void run_layer_norm(KernelContext& c) {
  const Norm& norm = *static_cast<const Norm*>(c.prepared);
  const Rows r = rows_of(c);
  const float* bias = c.has_input(2) ? c.in(2).as<float>() : nullptr;
  if (r.count > 0) norm.kernels.layer_norm(r.x, r.scale, bias, r.y, r.count, r.width, norm.eps);
}

Kernel make(std::string_view name, KernelFn run, float eps) {
  const Isa isa = current_isa();
  return {.name = fmt::format("{}_{}", name, isa_name(isa)),
          .run = run,
          .prepared = std::make_shared<Norm>(Norm{rows::kernels_for(isa), eps}),
          .work = work,
          .inplace_inputs = 1};
}

}  // namespace

Support cpu_supports_rms_norm(const NodeView& v) {
  if (v.input_type(0).dtype != DType::kF32 || v.input_type(1).dtype != DType::kF32)
    return Support::no("the input is {}", v.input_type(0).to_string());
  return Support::yes();
}

Result<Kernel> cpu_prepare_rms_norm(const NodeView& v, ThreadPool&) {
  return make("rms_norm", run_rms_norm, v.node.attributes.get_float("eps"));
}

Support cpu_supports_layer_norm(const NodeView& v) {
  for (int i : {0, 1, 2})
    if (v.has_input(i) && v.input_type(i).dtype != DType::kF32)
      return Support::no("input {} is {}", i, v.input_type(i).to_string());
  for (size_t i = 1; i < v.node.outputs.size(); ++i)
    if (v.node.outputs[i] != kNoValue) return Support::no("mean and deviation are wanted too");
  const int64_t axis = v.node.attributes.get_int("axis", -1);
  const Type& x = v.input_type(0);
  if (!x.ranked() || (axis != -1 && axis != x.rank() - 1)) return Support::no("axis {} of {}", axis, x.to_string());
  for (int i : {1, 2})
    if (v.has_input(i) &&
        (!v.input_type(i).ranked() || v.input_type(i).rank() != 1 || !(v.input_type(i).dims->back() == x.dims->back())))
      return Support::no("scale or bias is {}", v.input_type(i).to_string());
  return Support::yes();
}

Result<Kernel> cpu_prepare_layer_norm(const NodeView& v, ThreadPool&) {
  return make("layer_norm", run_layer_norm, v.node.attributes.get_float("epsilon", 1e-5f));
}

}  // namespace ingot
