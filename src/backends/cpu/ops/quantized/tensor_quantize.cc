// QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear and Cast from i32 to f32 on the CPU: float32 and bytes, one
// scale for all or one per index of an axis.
#include <algorithm>
#include <cmath>

#include "backends/backend.h"
#include "backends/cpu/kernels/bytes/bytes.h"
#include "backends/cpu/kernels/simd/float_isa.h"

namespace ingot {
namespace {

constexpr int64_t kGrain = 4096;  // elements that are worth a thread

struct Prepared {
  Isa isa;
  int axis;
};

int64_t work(const BoundShapes& s) { return s.inputs[0].num_elements(); }

int zero_at(const KernelContext& c, int64_t i) {
  if (!c.has_input(2)) return 0;
  return c.in(2).dtype == DType::kI8 ? c.in(2).as<int8_t>()[i] : c.in(2).as<uint8_t>()[i];
}

// Calls f(first, count, scale index) for this thread's share: runs of elements that have one scale.
template <class F>
void for_each_run(const KernelContext& c, int axis, F f) {
  const Shape& s = c.in(0).shape;
  const bool one = c.in(1).num_elements() == 1;
  const int64_t inner = one ? 1 : s.product(axis + 1, s.rank()), size = one ? 1 : s[axis];
  const Range own = c.share(s.num_elements(), kGrain);
  if (one && own.begin < own.end) return f(own.begin, own.end - own.begin, int64_t{0});
  for (int64_t i = own.begin; i < own.end;) {
    const int64_t end = std::min(own.end, (i / inner + 1) * inner);
    f(i, end - i, i / inner % size);
    i = end;
  }
}

bool operands_fit(const KernelContext& c, int axis) {
  const int64_t scales = c.in(1).num_elements();
  const bool fits = scales == 1 || (c.in(0).shape.rank() > axis && scales == c.in(0).shape[axis]);
  if (fits && (!c.has_input(2) || c.in(2).num_elements() == scales)) return true;
  c.fail(Status(Code::kInvalidArgument, fmt::format("[run] {} '{}': scale or zero point does not fit the input",
                                                    op_name(c.node.op), c.node.name)));
  return false;
}

void run_quantize(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  if (!operands_fit(c, p.axis)) return;
  const bool is_signed = c.out(0).dtype == DType::kI8;
  const auto& k = bytes::kernels_for(p.isa);
  for_each_run(c, p.axis, [&](int64_t first, int64_t count, int64_t at) {
    k.quantize(c.in(0).as<float>() + first, count, c.in(1).as<float>()[at], zero_at(c, at), is_signed ? -128 : 0,
               is_signed ? 127 : 255, c.out(0).as<uint8_t>() + first);
  });
}

void run_dequantize(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  if (!operands_fit(c, p.axis)) return;
  const auto& k = bytes::kernels_for(p.isa);
  for_each_run(c, p.axis, [&](int64_t first, int64_t count, int64_t at) {
    const float scale = c.in(1).as<float>()[at];
    float* out = c.out(0).as<float>() + first;
    if (c.in(0).dtype == DType::kI8)
      k.dequantize_i8(c.in(0).as<int8_t>() + first, count, scale, zero_at(c, at), out);
    else
      k.dequantize_u8(c.in(0).as<uint8_t>() + first, count, scale, zero_at(c, at), out);
  });
}

// Serial: the range comes before everything else.
void run_dynamic(KernelContext& c) {
  const auto& k = bytes::kernels_for(static_cast<const Prepared*>(c.prepared)->isa);
  float low = 0, high = 0;
  k.range(c.in(0).as<float>(), c.in(0).num_elements(), &low, &high);
  const float scale = high == low ? 1.0f : (high - low) / 255;
  const float zero = std::nearbyint(std::clamp(-low / scale, 0.0f, 255.0f));
  k.quantize(c.in(0).as<float>(), c.in(0).num_elements(), scale, static_cast<int>(zero), 0, 255,
             c.out(0).as<uint8_t>());
  if (c.has_output(1)) *c.out(1).as<float>() = scale;
  if (c.has_output(2)) *c.out(2).as<uint8_t>() = static_cast<uint8_t>(zero);
}

void run_cast(KernelContext& c) {
  const Range own = c.share(c.in(0).num_elements(), kGrain);
  bytes::kernels_for(static_cast<const Prepared*>(c.prepared)->isa)
      .to_float(c.in(0).as<int32_t>() + own.begin, own.end - own.begin, c.out(0).as<float>() + own.begin);
}

bool is_byte(DType t) { return t == DType::kI8 || t == DType::kU8; }

}  // namespace

Support cpu_supports_tensor_quantize(const NodeView& v) {
  const DType in = v.input_type(0).dtype, out = v.output_type(0).dtype;
  const bool dynamic = v.node.op == Op::kDynamicQuantizeLinear, cast = v.node.op == Op::kCast;
  const bool right = cast                                 ? in == DType::kI32 && out == DType::kF32
                     : v.node.op == Op::kDequantizeLinear ? is_byte(in) && out == DType::kF32
                                                          : in == DType::kF32 && is_byte(out);
  if (!right) return Support::no("from {} to {}", dtype_name(in), dtype_name(out));
  if (dynamic || cast) return Support::yes();
  if (v.input_type(1).dtype != DType::kF32) return Support::no("the scale is {}", v.input_type(1).to_string());
  if (v.has_input(2) && !is_byte(v.input_type(2).dtype))
    return Support::no("the zero point is {}", v.input_type(2).to_string());
  if (v.node.attributes.get_int("block_size")) return Support::no("blocks");
  const auto scale = v.input_type(1).concrete();
  if (scale && scale->num_elements() == 1) return Support::yes();
  if (!v.input_type(0).ranked()) return Support::no("the input's rank is not known");
  const int64_t rank = v.input_type(0).rank(), axis = v.node.attributes.get_int("axis", 1);
  if (axis < -rank || axis >= rank) return Support::no("axis {}", axis);
  return Support::yes();
}

Result<Kernel> cpu_prepare_tensor_quantize(const NodeView& v, ThreadPool&) {
  auto p = std::make_shared<Prepared>(Prepared{float_isa(), 0});
  const int64_t axis = v.node.attributes.get_int("axis", 1);
  const int64_t rank = v.input_type(0).ranked() ? v.input_type(0).rank() : 0;
  p->axis = static_cast<int>(axis < 0 ? std::max<int64_t>(0, axis + rank) : axis);
  const KernelFn run = v.node.op == Op::kCast                    ? run_cast
                       : v.node.op == Op::kDynamicQuantizeLinear ? run_dynamic
                       : v.node.op == Op::kQuantizeLinear        ? run_quantize
                                                                 : run_dequantize;
  return Kernel{.name = fmt::format("quantize_{}", isa_name(p->isa)),
                .run = run,
                .prepared = p,
                .work = run == run_dynamic ? nullptr : work};
}

}  // namespace ingot
