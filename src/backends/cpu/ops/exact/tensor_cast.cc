// Cast on the CPU between integers, and from them to float32: what is exact, or rounded once. Others run on `ref`.
#include <cstdint>

#include "backends/backend.h"

namespace ingot {
namespace {

constexpr int64_t kGrain = 1024;

int64_t work(const BoundShapes& s) { return s.inputs[0].num_elements(); }

template <class From, class To>
void run(KernelContext& c) {
  const From* x = c.in(0).as<From>();
  To* y = c.out(0).as<To>();
  const Range own = c.share(c.in(0).num_elements(), kGrain);
  for (int64_t i = own.begin; i < own.end; ++i) y[i] = static_cast<To>(x[i]);
}

template <class From>
KernelFn to_type(DType to) {
  switch (to) {
    case DType::kF32: return run<From, float>;
    case DType::kI32: return run<From, int32_t>;
    case DType::kI64: return run<From, int64_t>;
    default: return nullptr;
  }
}

KernelFn find(const NodeView& v) {
  const DType to = v.output_type(0).dtype;
  switch (v.input_type(0).dtype) {
    case DType::kBool:
    case DType::kU8: return to_type<uint8_t>(to);
    case DType::kI8: return to_type<int8_t>(to);
    case DType::kI32: return to_type<int32_t>(to);
    case DType::kI64: return to_type<int64_t>(to);
    default: return nullptr;
  }
}

}  // namespace

Support cpu_supports_tensor_cast(const NodeView& v) {
  if (find(v)) return Support::yes();
  return Support::no("from {} to {}", dtype_name(v.input_type(0).dtype), dtype_name(v.output_type(0).dtype));
}

Result<Kernel> cpu_prepare_tensor_cast(const NodeView& v, ThreadPool&) {
  return Kernel{.name = "cast", .run = find(v), .work = work};
}

}  // namespace ingot
