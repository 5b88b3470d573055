// Conv and ingot.conv on the CPU: float32, one or two spatial dimensions, a constant weight that is packed once.
#include "backends/backend.h"
#include "backends/cpu/kernels/conv/winograd.h"
#include "backends/cpu/kernels/simd/float_isa.h"
#include "backends/cpu/ops/fused_activation.h"
#include "backends/cpu/ops/window_shape.h"

namespace ingot {
namespace {

struct Prepared {
  Window window;
  ConvShape weight;  // what the weight and the attributes say; sizes of images are filled in per run
  ActSpec act;
  Isa isa = Isa::kBaseline;
  std::shared_ptr<void> packed;
};

ConvShape weight_shape(const Attributes& a, const Shape& w) {
  ConvShape s{};
  s.group = a.get_int("group", 1);
  s.maps = w[0];
  s.channels = w[1] * s.group;
  s.kernel_h = w.rank() == 4 ? w[2] : 1;
  s.kernel_w = w.at(-1);
  return s;
}

int64_t work(const BoundShapes& s) {
  const Shape& w = s.inputs[1].shape;
  return s.outputs[0].num_elements() * w.product(1, w.rank());
}

size_t scratch_bytes(const BoundShapes& b) {
  ConvShape s = weight_shape(b.node.attributes, b.inputs[1].shape);
  const auto window = parse_window(b.node.attributes, b.inputs[0].shape.rank() - 2, spatial_of(b.inputs[1].shape));
  if (!window) return 0;
  set_sizes(*window, b.inputs[0].shape, b.outputs[0].shape, s);
  s.winograd = static_cast<const Prepared*>(b.prepared)->weight.winograd;
  return conv_scratch_bytes(s, b.num_threads);
}

// Few tiles do not pay for the transformed weights, which are twice as large. Sizes that are not known count as many.
bool wants_winograd(const NodeView& v, const Prepared& p) {
  constexpr int64_t kOutputsMin = 128;
  ConvShape s = p.weight;
  const Type &x = v.input_type(0), &y = v.output_type(0);
  if (s.kernel_h != 3 || s.kernel_w != 3 || !y.ranked() || y.rank() != 4) return false;
  s.stride_h = p.window.strides[0], s.stride_w = p.window.strides[1];
  s.dilation_h = p.window.dilations[0], s.dilation_w = p.window.dilations[1];
  const Dim &height = (*y.dims)[2], &width = (*y.dims)[3];
  const bool few = height.is_const() && width.is_const() && height.value() * width.value() < kOutputsMin;
  return x.rank() == 4 && winograd_fits(s) && !few;
}

void run(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  ConvShape s = p.weight;
  set_sizes(p.window, c.in(0).shape, c.out(0).shape, s);
  if (c.has_input(3) && !(c.in(3).shape == c.out(0).shape))
    return c.fail(Status(Code::kInvalidArgument,
                         fmt::format("[run] {} '{}': the residual is {}, the result {}", op_name(c.node.op),
                                     c.node.name, c.in(3).shape.to_string(), c.out(0).shape.to_string())));
  const ConvOutput out{.y = c.out(0).as<float>(),
                       .bias = c.has_input(2) ? c.in(2).as<float>() : nullptr,
                       .residual = c.has_input(3) ? c.in(3).as<float>() : nullptr,
                       .act = p.act};
  conv(s, c.in(0).as<float>(), static_cast<const float*>(p.packed.get()), out, p.isa, c.scratch, c.thread,
       c.num_threads);
}

}  // namespace

Support cpu_supports_tensor_conv(const NodeView& v) {
  const Type& x = v.input_type(0);
  if (x.dtype != DType::kF32) return Support::no("the input is {}", x.to_string());
  if (!v.constant(1)) return Support::no("the weight is not a constant");
  const Shape& w = v.constant(1)->shape();
  if (w.rank() != 3 && w.rank() != 4) return Support::no("{} spatial dimensions", w.rank() - 2);
  if (!x.ranked() || x.rank() != w.rank()) return Support::no("the input is {}", x.to_string());
  const ConvShape s = weight_shape(v.node.attributes, w);
  if (s.group < 1 || w.num_elements() == 0 || s.maps % s.group) return Support::no("the weight is {}", w.to_string());
  if (s.depthwise() && s.taps() > kWindowTapsMax) return Support::no("a kernel of {} positions", s.taps());
  if (!fused_activation(v.node.attributes)) return Support::no("its activation");
  const auto window = parse_window(v.node.attributes, w.rank() - 2, spatial_of(w));
  if (!window) return Support::no("{}", window.error().message());
  return Support::yes();
}

Result<Kernel> cpu_prepare_tensor_conv(const NodeView& v, ThreadPool&) {
  const TensorView w = v.constant(1)->view();
  auto p = std::make_shared<Prepared>();
  p->window = INGOT_TRY(parse_window(v.node.attributes, w.shape.rank() - 2, spatial_of(w.shape)));
  p->weight = weight_shape(v.node.attributes, w.shape);
  p->act = *fused_activation(v.node.attributes);
  p->isa = float_isa();
  p->weight.winograd = wants_winograd(v, *p);
  const size_t bytes = conv_packed_floats(p->weight) * sizeof(float);
  const PackedStore::Piece piece = INGOT_TRY(v.packed_memory(bytes));
  p->packed = piece.memory;
  if (!piece.filled) pack_conv(p->weight, w.as<float>(), p->isa, static_cast<float*>(p->packed.get()));
  const char* how = p->weight.winograd ? "winograd" : p->weight.depthwise() ? "depthwise" : "gemm";
  return Kernel{.name = fmt::format("conv_{}_{}", how, isa_name(p->isa)),
                .run = run,
                .prepared = p,
                .work = work,
                .scratch_bytes = scratch_bytes,
                .consumed_inputs = 1u << 1,
                .prepared_bytes = bytes};
}

}  // namespace ingot
