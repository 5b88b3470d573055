// Add of equal shapes or of a row to every row, Gather of rows and Split of rows, all f32, on the CPU.
// Other forms of these ONNX operators run on the reference backend.
#include <cstring>

#include "backends/backend.h"
#include "backends/cpu/kernels/rows/rows.h"

namespace ingot {
namespace {

bool is_f32(const NodeView& v, int i) { return v.input_type(i).dtype == DType::kF32; }

bool known(const Type& t) {
  if (!t.ranked()) return false;
  for (const Dim& d : *t.dims)
    if (d.is_unknown()) return false;
  return true;
}

int64_t add_work(const BoundShapes& s) { return s.outputs[0].num_elements(); }

void run_add(KernelContext& c) {
  const auto& kernels = *static_cast<const rows::Kernels*>(c.prepared);
  const float *a = c.in(0).as<float>(), *b = c.in(1).as<float>();
  float* y = c.out(0).as<float>();
  const int64_t n = c.out(0).num_elements(), width = c.in(1).num_elements();
  if (width == n) {
    const Range r = c.share(n, 64);
    return kernels.add(a + r.begin, b + r.begin, y + r.begin, r.end - r.begin);
  }
  const Range r = c.share(n / width);
  for (int64_t i = r.begin; i < r.end; ++i) kernels.add(a + i * width, b, y + i * width, width);
}

// Rows are copied whole: x [N, ...] f32, indices of any shape.
template <class Index>
void run_gather(KernelContext& c) {
  const int64_t n = c.in(0).shape[0], row = c.in(0).shape.product(1, c.in(0).shape.rank());
  const Range r = c.share(c.in(1).num_elements());
  for (int64_t i = r.begin; i < r.end; ++i) {
    const int64_t given = c.in(1).as<Index>()[i], index = given < 0 ? given + n : given;
    if (index < 0 || index >= n)
      return c.fail(
          Status(Code::kInvalidArgument, fmt::format("[run] Gather: index {} is not in [{}, {})", given, -n, n)));
    std::memcpy(c.out(0).as<float>() + i * row, c.in(0).as<float>() + index * row, static_cast<size_t>(row) * 4);
  }
}

void run_split(KernelContext& c) {
  const int64_t width = c.in(0).shape.at(-1);
  const Range r = c.share(c.in(0).num_elements() / std::max<int64_t>(width, 1));
  for (int64_t i = r.begin; i < r.end; ++i) {
    const float* from = c.in(0).as<float>() + i * width;
    for (size_t o = 0; o < c.outputs.size(); ++o) {
      const int64_t n = c.outputs[o].shape.at(-1);
      if (c.outputs[o].data)
        std::memcpy(c.outputs[o].as<float>() + i * n, from, static_cast<size_t>(n) * sizeof(float));
      from += n;
    }
  }
}

int64_t split_work(const BoundShapes& s) { return s.inputs[0].num_elements(); }

}  // namespace

Support cpu_supports_add(const NodeView& v) {
  const Type &a = v.input_type(0), &b = v.input_type(1);
  if (!is_f32(v, 0) || !is_f32(v, 1)) return Support::no("{} + {}", a.to_string(), b.to_string());
  if (known(a) && a == b) return Support::yes();
  const bool row = known(a) && b.ranked() && b.rank() == 1 && a.rank() >= 1 && a.dims->back().is_const() &&
                   b.dims->back() == a.dims->back();
  return row ? Support::yes() : Support::no("{} + {} broadcasts", a.to_string(), b.to_string());
}

Result<Kernel> cpu_prepare_add(const NodeView&, ThreadPool&) {
  const Isa isa = current_isa();
  return Kernel{.name = fmt::format("add_{}", isa_name(isa)),
                .run = run_add,
                .prepared = std::shared_ptr<const void>(&rows::kernels_for(isa), [](const void*) {}),
                .work = add_work,
                .inplace_inputs = 3};
}

Support cpu_supports_gather(const NodeView& v) {
  const DType index = v.input_type(1).dtype;
  if (!is_f32(v, 0) || !v.input_type(0).ranked() || v.input_type(0).rank() < 1)
    return Support::no("the data is {}", v.input_type(0).to_string());
  if (v.node.attributes.get_int("axis") != 0) return Support::no("axis {}", v.node.attributes.get_int("axis"));
  if (index != DType::kI32 && index != DType::kI64) return Support::no("indices are {}", v.input_type(1).to_string());
  return Support::yes();
}

Result<Kernel> cpu_prepare_gather(const NodeView& v, ThreadPool&) {
  const bool wide = v.input_type(1).dtype == DType::kI64;
  return Kernel{.name = "gather_rows", .run = wide ? run_gather<int64_t> : run_gather<int32_t>, .work = add_work};
}

Support cpu_supports_split(const NodeView& v) {
  const Type& x = v.input_type(0);
  const int64_t axis = v.node.attributes.get_int("axis");
  if (!is_f32(v, 0) || !x.ranked() || x.rank() < 1 || (axis != -1 && axis != x.rank() - 1))
    return Support::no("axis {} of {}", axis, x.to_string());
  return Support::yes();
}

Result<Kernel> cpu_prepare_split(const NodeView&, ThreadPool&) {
  return Kernel{.name = "split_rows", .run = run_split, .work = split_work};
}

}  // namespace ingot
