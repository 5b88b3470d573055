// ingot.rope_table and ingot.rope on the CPU (kernels/rows).
#include "backends/backend.h"
#include "backends/cpu/kernels/rows/rows.h"

namespace ingot {
namespace {

struct Table {
  const rows::Kernels& kernels;
  float scale;
};
struct Rope {
  const rows::Kernels& kernels;
  int64_t head_dim;
  bool interleaved;
};

// A sine and a cosine cost some 16 operations.
int64_t table_work(const BoundShapes& s) { return 16 * s.outputs[0].num_elements(); }
int64_t rope_work(const BoundShapes& s) { return 2 * s.outputs[0].num_elements(); }

void run_table(KernelContext& c) {
  const Table& t = *static_cast<const Table*>(c.prepared);
  const int64_t half = c.in(1).num_elements();
  const Range r = c.share(c.in(0).num_elements());
  for (int64_t i = r.begin; i < r.end; ++i)
    t.kernels.rope_table(static_cast<float>(c.in(0).as<int32_t>()[i]), c.in(1).as<float>(), half, t.scale,
                         c.out(0).as<float>() + i * 2 * half);
}

void run_rope(KernelContext& c) {
  const Rope& rope = *static_cast<const Rope*>(c.prepared);
  const int64_t width = c.in(0).shape[1], rotary = c.in(1).shape[1], heads = width / rope.head_dim;
  const auto rotate = rope.interleaved ? rope.kernels.rope_interleaved : rope.kernels.rope;
  const Range r = c.share(c.in(0).shape[0]);
  for (int64_t t = r.begin; t < r.end; ++t)
    rotate(c.in(0).as<float>() + t * width, c.in(1).as<float>() + t * rotary, c.out(0).as<float>() + t * width, heads,
           rope.head_dim, rotary);
}

}  // namespace

Support cpu_supports_rope_table(const NodeView&) { return Support::yes(); }

Result<Kernel> cpu_prepare_rope_table(const NodeView& v, ThreadPool&) {
  const Isa isa = current_isa();
  return Kernel{
      .name = fmt::format("rope_table_{}", isa_name(isa)),
      .run = run_table,
      .prepared = std::make_shared<Table>(Table{rows::kernels_for(isa), v.node.attributes.get_float("scale", 1.0f)}),
      .work = table_work};
}

Support cpu_supports_rope(const NodeView& v) {
  if (!v.input_type(0).ranked() || v.input_type(0).rank() != 2 || v.input_type(0).dtype != DType::kF32)
    return Support::no("the input is {}", v.input_type(0).to_string());
  return Support::yes();
}

Result<Kernel> cpu_prepare_rope(const NodeView& v, ThreadPool&) {
  const Isa isa = current_isa();
  const bool interleaved = v.node.attributes.get_int("interleaved") != 0;
  return Kernel{.name = fmt::format("rope{}_{}", interleaved ? "_interleaved" : "", isa_name(isa)),
                .run = run_rope,
                .prepared = std::make_shared<Rope>(
                    Rope{rows::kernels_for(isa), v.node.attributes.get_int("head_dim"), interleaved}),
                .work = rope_work,
                .inplace_inputs = 1};
}

}  // namespace ingot
