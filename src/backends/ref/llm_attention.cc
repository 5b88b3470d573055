// Reference kernel: ingot.paged_attention (Kwon et al., "Efficient Memory Management for LLM Serving with
// PagedAttention", 2023). Appends the step's keys and values to their pages, then attends row by row.
#include <cmath>
#include <limits>
#include <vector>

#include "backends/ref/kernels.h"
#include "tensor/block_formats.h"

namespace ingot {
namespace {

struct Pages {
  const KernelContext& c;
  int64_t page_tokens, kv_heads, head_dim;

  // One head's key or value at a position of sequence b.
  std::byte* row(const TensorView& cache, int64_t b, int64_t position, int64_t head) const {
    const TensorView& table = c.in(7);
    const int64_t page = table.as<int32_t>()[b * table.shape[1] + position / page_tokens];
    const size_t index = static_cast<size_t>((page * page_tokens + position % page_tokens) * kv_heads + head);
    return const_cast<std::byte*>(cache.as<std::byte>()) + index * cache.row_bytes();
  }
};

void append(const KernelContext& c, const Pages& pages, int64_t b, int64_t t, int64_t position) {
  for (int which : {0, 1})
    for (int64_t g = 0; g < pages.kv_heads; ++g) {
      const TensorView& cache = c.in(3 + which);
      const float* source = c.in(1 + which).as<float>() + (t * pages.kv_heads + g) * pages.head_dim;
      // Only values can fail here (infinities in a quantized cache): they become zeros of that row.
      if (!encode_row(cache.dtype, source, pages.row(cache, b, position, g), pages.head_dim)) {
        const std::vector<float> zeros(static_cast<size_t>(pages.head_dim));
        INGOT_CHECK(
            encode_row(cache.dtype, zeros.data(), pages.row(cache, b, position, g), pages.head_dim).has_value());
      }
    }
}

void attend(const KernelContext& c, const Pages& pages, int64_t b, int64_t t, int64_t position, int64_t head,
            int64_t heads) {
  const Attributes& a = c.node.attributes;
  const int64_t d = pages.head_dim, window = a.get_int("window"), g = head / (heads / pages.kv_heads);
  const float scale = a.get_float("scale"), cap = a.get_float("softcap");
  const int64_t first = window > 0 ? std::max<int64_t>(0, position - window + 1) : 0;
  const float* q = c.in(0).as<float>() + (t * heads + head) * d;
  std::vector<float> kv(static_cast<size_t>(d));
  std::vector<double> weights, sum(static_cast<size_t>(d));
  double top = c.has_input(8) ? c.in(8).as<float>()[head] : -std::numeric_limits<double>::infinity();
  for (int64_t j = first; j <= position; ++j) {
    decode_row(c.in(3).dtype, pages.row(c.in(3), b, j, g), kv.data(), d);
    double dot = 0;
    for (int64_t i = 0; i < d; ++i) dot += static_cast<double>(q[i]) * kv[static_cast<size_t>(i)];
    dot *= scale;
    if (cap > 0) dot = cap * std::tanh(dot / cap);
    weights.push_back(dot);
    top = std::max(top, dot);
  }
  double total = c.has_input(8) ? std::exp(c.in(8).as<float>()[head] - top) : 0;
  for (int64_t j = first; j <= position; ++j) {
    const double w = std::exp(weights[static_cast<size_t>(j - first)] - top);
    total += w;
    decode_row(c.in(4).dtype, pages.row(c.in(4), b, j, g), kv.data(), d);
    for (int64_t i = 0; i < d; ++i) sum[static_cast<size_t>(i)] += w * kv[static_cast<size_t>(i)];
  }
  float* out = c.out(0).as<float>() + (t * heads + head) * d;
  for (int64_t i = 0; i < d; ++i) out[i] = static_cast<float>(sum[static_cast<size_t>(i)] / total);
}

}  // namespace

void ref_PagedAttention(KernelContext& c) {
  const int64_t heads = c.node.attributes.get_int("heads");
  const Pages pages{c, c.in(3).shape[1], c.in(3).shape[2], c.in(3).shape[3]};
  const int32_t *start = c.in(5).as<int32_t>(), *lengths = c.in(6).as<int32_t>();
  for (int64_t b = 0; b < c.in(6).num_elements(); ++b)
    for (int64_t t = start[b]; t < start[b + 1]; ++t) append(c, pages, b, t, lengths[b] - (start[b + 1] - t));
  for (int64_t b = 0; b < c.in(6).num_elements(); ++b)
    for (int64_t t = start[b]; t < start[b + 1]; ++t)
      for (int64_t h = 0; h < heads; ++h) attend(c, pages, b, t, lengths[b] - (start[b + 1] - t), h, heads);
}

}  // namespace ingot
