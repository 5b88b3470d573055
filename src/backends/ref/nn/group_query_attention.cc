// Causal attention with a cache of keys and values per sequence, as decoders exported for ONNX Runtime hold it.
#include <algorithm>
#include <cmath>

#include "backends/ref/kernels.h"
#include "backends/ref/reals.h"

namespace ingot {
namespace {

// Rows of cosines and sines by position, `half` each; none: nothing turns.
struct Rotation {
  std::vector<double> cos, sin;
  size_t half = 0;
  bool interleaved;

  explicit Rotation(const KernelContext& c) : interleaved(c.node.attributes.get_int("interleaved") != 0) {
    if (!c.has_input(7)) return;
    cos = reals_of(c.in(7));
    sin = reals_of(c.in(8));
    half = static_cast<size_t>(c.in(7).shape[1]);
  }
};

// Turns the first 2 * half elements of every head.
void rotate_heads(std::span<double> heads, int64_t width, int64_t position, const Rotation& r) {
  for (size_t first = 0; first < heads.size() && r.half; first += static_cast<size_t>(width))
    for (size_t i = 0; i < r.half; ++i) {
      double &a = heads[first + (r.interleaved ? 2 * i : i)],
             &b = heads[first + (r.interleaved ? 2 * i + 1 : i + r.half)];
      const double x = a, y = b, co = r.cos[static_cast<size_t>(position) * r.half + i],
                   si = r.sin[static_cast<size_t>(position) * r.half + i];
      a = x * co - y * si;
      b = x * si + y * co;
    }
}

struct Sizes {
  int64_t batch, length, heads, groups, width, past, total;
  int64_t cache_row(int64_t b, int64_t g, int64_t position) const {
    return ((b * groups + g) * total + position) * width;
  }
};

Sizes sizes_of(const KernelContext& c, int64_t last) {
  const Shape& q = c.in(0).shape;
  const int64_t heads = c.node.attributes.get_int("num_heads"), past = c.has_input(3) ? c.in(3).shape[2] : 0;
  return {q[0], q[1], heads, c.node.attributes.get_int("kv_num_heads"), q[2] / heads, past, std::max(past, last)};
}

// [B,G,P,D] as [B,G,T,D].
std::vector<double> grown(const KernelContext& c, int input, const Sizes& s) {
  std::vector<double> out(static_cast<size_t>(s.batch * s.groups * s.total * s.width));
  if (!c.has_input(input)) return out;
  const auto old = reals_of(c.in(input));
  for (int64_t plane = 0; plane < s.batch * s.groups; ++plane)
    std::copy_n(old.begin() + plane * s.past * s.width, s.past * s.width, out.begin() + plane * s.total * s.width);
  return out;
}

}  // namespace

void ref_GroupQueryAttention(KernelContext& c) {
  const Attributes& a = c.node.attributes;
  const int64_t last = *c.in(6).as<int32_t>();
  const Sizes s = sizes_of(c, last);
  if (last < 0 || last > s.past + s.length)
    return invalid_data(c, fmt::format("{} positions in all of {} past and {} new", last, s.past, s.length));
  const double scale = a.has("scale") ? a.get_float("scale") : 1 / std::sqrt(static_cast<double>(s.width));
  const double cap = a.get_float("softcap");
  const int64_t window = a.get_int("window");
  auto q = reals_of(c.in(0)), k = reals_of(c.in(1));
  const auto v = reals_of(c.in(2)), sinks = c.has_input(11) ? reals_of(c.in(11)) : std::vector<double>{};
  const auto bias = c.has_input(10) ? reals_of(c.in(10)) : std::vector<double>{};
  auto keys = grown(c, 3, s), values = grown(c, 4, s);
  const Rotation turn(c);
  std::vector<double> scores(static_cast<size_t>(s.total));
  for (int64_t b = 0; b < s.batch; ++b) {
    const int64_t past = last == s.length ? 0 : c.in(5).as<int32_t>()[b] + 1 - s.length;
    if (past < 0 || past > s.past || past + s.length > s.total)
      return invalid_data(c, fmt::format("positions {} to {} of {}", past, past + s.length, s.total));
    for (int64_t i = 0; i < s.length; ++i) {
      const int64_t row = b * s.length + i;
      const int64_t position = c.has_input(9) ? c.in(9).as<int64_t>()[row] : past + i;
      if (c.has_input(7) && (position < 0 || position >= c.in(7).shape[0]))
        return invalid_data(c, fmt::format("position {} is not in [0, {})", position, c.in(7).shape[0]));
      rotate_heads(std::span(q).subspan(row * s.heads * s.width, s.heads * s.width), s.width, position, turn);
      rotate_heads(std::span(k).subspan(row * s.groups * s.width, s.groups * s.width), s.width, position, turn);
      for (int64_t g = 0; g < s.groups; ++g) {
        std::copy_n(k.begin() + (row * s.groups + g) * s.width, s.width, keys.begin() + s.cache_row(b, g, past + i));
        std::copy_n(v.begin() + (row * s.groups + g) * s.width, s.width, values.begin() + s.cache_row(b, g, past + i));
      }
    }
    for (int64_t r = 0; r < s.length * s.heads; ++r) {
      const int64_t i = r / s.heads, h = r % s.heads, g = h / (s.heads / s.groups), position = past + i;
      const int64_t first = window ? std::max<int64_t>(0, position + 1 - window) : 0;
      const double* query = q.data() + (b * s.length * s.heads + r) * s.width;
      double max = sinks.empty() ? -INFINITY : sinks[static_cast<size_t>(h)], sum = 0;
      for (int64_t j = first; j <= position; ++j) {
        const double* key = keys.data() + s.cache_row(b, g, j);
        double& score = scores[static_cast<size_t>(j)];
        score = 0;
        for (int64_t d = 0; d < s.width; ++d) score += query[d] * key[d] * scale;
        if (cap > 0) score = cap * std::tanh(score / cap);
        if (!bias.empty()) {
          const Shape& bs = c.in(10).shape;
          if (j < bs[3])
            score += bias[static_cast<size_t>(
                (((bs[0] == 1 ? 0 : b) * bs[1] + (bs[1] == 1 ? 0 : h)) * bs[2] + i) * bs[3] + j)];
        }
        max = std::max(max, score);
      }
      for (int64_t j = first; j <= position; ++j)
        sum += scores[static_cast<size_t>(j)] = std::exp(scores[static_cast<size_t>(j)] - max);
      if (!sinks.empty()) sum += std::exp(sinks[static_cast<size_t>(h)] - max);
      for (int64_t d = 0; d < s.width; ++d) {
        double y = 0;
        for (int64_t j = first; j <= position; ++j)
          y += scores[static_cast<size_t>(j)] * values[static_cast<size_t>(s.cache_row(b, g, j) + d)];
        store_real(c.out(0), (b * s.length * s.heads + r) * s.width + d, y / sum);
      }
    }
  }
  if (c.has_output(1)) store_reals(c.out(1), keys);
  if (c.has_output(2)) store_reals(c.out(2), values);
}

}  // namespace ingot
