// Reference kernels: ingot.embedding, ingot.linear. Weights of any type are decoded row by row.
#include <vector>

#include "backends/ref/kernels.h"
#include "tensor/block_formats.h"

namespace ingot {

void ref_Embedding(KernelContext& c) {
  const TensorView &ids = c.in(0), &table = c.in(1);
  const int64_t rows = table.shape[0], width = table.shape[1];
  const float scale = c.node.attributes.get_float("scale", 1.0f);
  for (int64_t t = 0; t < ids.num_elements(); ++t) {
    const int32_t id = ids.as<int32_t>()[t];
    if (id < 0 || id >= rows)
      return c.fail(Status(Code::kInvalidArgument, fmt::format("[run] token id {} is not in [0, {})", id, rows)));
    float* out = c.out(0).as<float>() + t * width;
    decode_row(table.dtype, table.as<std::byte>() + static_cast<size_t>(id) * table.row_bytes(), out, width);
    for (int64_t i = 0; i < width; ++i) out[i] *= scale;
  }
}

void ref_Linear(KernelContext& c) {
  const TensorView &x = c.in(0), &w = c.in(1);
  const int64_t n = w.shape[0], k = w.shape[1], rows = x.shape.product(0, x.shape.rank() - 1);
  const float* bias = c.has_input(2) ? c.in(2).as<float>() : nullptr;
  std::vector<float> row(static_cast<size_t>(k));
  for (int64_t j = 0; j < n; ++j) {
    decode_row(w.dtype, w.as<std::byte>() + static_cast<size_t>(j) * w.row_bytes(), row.data(), k);
    for (int64_t t = 0; t < rows; ++t) {
      const float* in = x.as<float>() + t * k;
      double sum = bias ? bias[j] : 0;
      for (int64_t i = 0; i < k; ++i) sum += static_cast<double>(in[i]) * row[static_cast<size_t>(i)];
      c.out(0).as<float>()[t * n + j] = static_cast<float>(sum);
    }
  }
}

}  // namespace ingot
