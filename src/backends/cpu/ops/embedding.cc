// ingot.embedding on the CPU: each thread decodes its share of the rows straight from the file's bytes.
#include "backends/backend.h"
#include "tensor/block_formats.h"

namespace ingot {
namespace {

// Decoding costs several operations an element.
int64_t work(const BoundShapes& s) { return 4 * s.outputs[0].num_elements(); }

void run(KernelContext& c) {
  const TensorView &ids = c.in(0), &table = c.in(1);
  const int64_t vocab = table.shape[0], width = table.shape[1];
  const float scale = *static_cast<const float*>(c.prepared);
  const Range share = c.share(ids.num_elements());
  for (int64_t t = share.begin; t < share.end; ++t) {
    const int32_t id = ids.as<int32_t>()[t];
    if (id < 0 || id >= vocab)
      return c.fail(Status(Code::kInvalidArgument, fmt::format("[run] token id {} is not in [0, {})", id, vocab)));
    float* out = c.out(0).as<float>() + t * width;
    decode_row(table.dtype, table.as<std::byte>() + static_cast<size_t>(id) * table.row_bytes(), out, width);
    if (scale != 1.0f)
      for (int64_t i = 0; i < width; ++i) out[i] *= scale;
  }
}

}  // namespace

Support cpu_supports_embedding(const NodeView& v) {
  return can_decode(v.input_type(1).dtype) ? Support::yes()
                                           : Support::no("the table is {}", v.input_type(1).to_string());
}

Result<Kernel> cpu_prepare_embedding(const NodeView& v, ThreadPool&) {
  return Kernel{.name = fmt::format("embedding_{}", dtype_name(v.input_type(1).dtype)),
                .run = run,
                .prepared = std::make_shared<const float>(v.node.attributes.get_float("scale", 1.0f)),
                .work = work};
}

}  // namespace ingot
