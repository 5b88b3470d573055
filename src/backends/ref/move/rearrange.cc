// Slice, Transpose, Expand, Tile, Pad, DepthToSpace, SpaceToDepth: every output element names its source.
#include <algorithm>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

using Strides = std::array<int64_t, limits::kRankMax>;

// y[index] = x[base + sum of index * strides]
void copy_strided(KernelContext& c, const Shape& space, int64_t base, const Strides& strides) {
  dispatch_moved(c, c.in(0).dtype, [&]<class T>() {
    const T* x = c.in(0).as<T>() + base;
    T* y = c.out(0).as<T>();
    for_each_index<1>(space, {strides}, [&](int64_t i, const auto& at) { y[i] = x[at[0]]; });
  });
}

}  // namespace

void ref_Slice(KernelContext& c) {
  const TensorView& x = c.in(0);
  Strides strides = strides_of(x.shape);
  int64_t base = 0;
  for (int64_t i = 0; i < c.in(1).num_elements(); ++i) {
    const int64_t given = c.has_input(3) ? index_at(c.in(3), i) : i;
    const int axis = static_cast<int>(given < 0 ? given + x.shape.rank() : given);
    const int64_t n = x.shape[axis], step = c.has_input(4) ? index_at(c.in(4), i) : 1;
    int64_t start = index_at(c.in(1), i);
    start = start < -n ? 0 : start < 0 ? start + n : std::min(start, step > 0 ? n : n - 1);
    base += start * strides[static_cast<size_t>(axis)];
    if (c.out(0).shape[axis] > 1) strides[static_cast<size_t>(axis)] *= step;
  }
  if (c.out(0).num_elements()) copy_strided(c, c.out(0).shape, base, strides);
}

void ref_Transpose(KernelContext& c) {
  const Strides own = strides_of(c.in(0).shape);
  const std::vector<int64_t> perm = c.node.attributes.get_ints("perm");
  Strides strides{};
  const int rank = c.in(0).shape.rank();
  for (int d = 0; d < rank; ++d) {
    const int64_t from = perm.empty() ? rank - 1 - d : perm[static_cast<size_t>(d)];
    strides[static_cast<size_t>(d)] = own[static_cast<size_t>(from)];
  }
  copy_strided(c, c.out(0).shape, 0, strides);
}

void ref_Expand(KernelContext& c) {
  copy_strided(c, c.out(0).shape, 0, broadcast_strides(c.in(0).shape, c.out(0).shape));
}

// The output as [r0, d0, r1, d1, …]: one axis at a time, so that the doubled rank needs no room.
void ref_Tile(KernelContext& c) {
  const Shape &in = c.in(0).shape, &out = c.out(0).shape;
  const Strides own = strides_of(in), wide = strides_of(out);
  dispatch_moved(c, c.in(0).dtype, [&]<class T>() {
    for (int64_t i = 0; i < out.num_elements(); ++i) {
      int64_t from = 0;
      for (int d = 0; d < out.rank(); ++d) {
        const size_t at = static_cast<size_t>(d);
        from += i / wide[at] % out[d] % in[d] * own[at];
      }
      c.out(0).as<T>()[i] = c.in(0).as<T>()[from];
    }
  });
}

namespace {

// Where element i of a padded axis comes from in [0, n); -1: the pad value.
int64_t pad_source(int64_t i, int64_t n, std::string_view mode) {
  if (i >= 0 && i < n) return i;
  if (mode == "constant" || n == 0) return -1;
  if (mode == "edge") return std::clamp<int64_t>(i, 0, n - 1);
  if (mode == "wrap") return (i % n + n) % n;
  if (n == 1) return 0;
  const int64_t period = 2 * (n - 1);
  i = (i % period + period) % period;
  return i < n ? i : period - i;
}

}  // namespace

void ref_Pad(KernelContext& c) {
  const TensorView& x = c.in(0);
  const Shape& out = c.out(0).shape;
  const std::string mode = c.node.attributes.get_string("mode", "constant");
  Strides begin{};
  const int64_t n = c.in(1).num_elements() / 2;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t axis = c.has_input(3) ? index_at(c.in(3), i) : i;
    begin[static_cast<size_t>(axis < 0 ? axis + out.rank() : axis)] += index_at(c.in(1), i);
  }
  const Strides own = strides_of(x.shape), wide = strides_of(out);
  dispatch_moved(c, x.dtype, [&]<class T>() {
    const T value = c.has_input(2) && c.in(2).num_elements() ? *c.in(2).as<T>() : T{};
    for (int64_t i = 0; i < out.num_elements(); ++i) {
      int64_t from = 0;
      for (int d = 0; d < out.rank() && from >= 0; ++d) {
        const size_t at = static_cast<size_t>(d);
        const int64_t s = pad_source(i / wide[at] % out[d] - begin[at], x.shape[d], mode);
        from = s < 0 ? -1 : from + s * own[at];
      }
      c.out(0).as<T>()[i] = from < 0 ? value : x.as<T>()[from];
    }
  });
}

namespace {

// Copies between [N, C, H*b, W*b] (`wide`) and [N, b*b*C, H, W] (`deep`); depth_first says whether the deep
// channel is (by, bx, c) or (c, by, bx).
template <class F>
void for_each_block_pair(const Shape& wide, int64_t b, bool depth_first, F f) {
  const int64_t channels = wide[1], h = wide[2] / b, w = wide[3] / b;
  int64_t i = 0;
  for (int64_t n = 0; n < wide[0]; ++n)
    for (int64_t ch = 0; ch < channels; ++ch)
      for (int64_t y = 0; y < wide[2]; ++y)
        for (int64_t x = 0; x < wide[3]; ++x, ++i) {
          const int64_t block = y % b * b + x % b;
          const int64_t deep = depth_first ? block * channels + ch : ch * b * b + block;
          f(i, ((n * channels * b * b + deep) * h + y / b) * w + x / b);
        }
}

}  // namespace

void ref_DepthToSpace(KernelContext& c) {
  const bool depth_first = c.node.attributes.get_string("mode", "DCR") == "DCR";
  dispatch_moved(c, c.in(0).dtype, [&]<class T>() {
    for_each_block_pair(c.out(0).shape, c.node.attributes.get_int("blocksize"), depth_first,
                        [&](int64_t wide, int64_t deep) { c.out(0).as<T>()[wide] = c.in(0).as<T>()[deep]; });
  });
}

void ref_SpaceToDepth(KernelContext& c) {
  const bool depth_first = c.node.attributes.get_string("mode", "DCR") == "DCR";
  dispatch_moved(c, c.in(0).dtype, [&]<class T>() {
    for_each_block_pair(c.in(0).shape, c.node.attributes.get_int("blocksize"), depth_first,
                        [&](int64_t wide, int64_t deep) { c.out(0).as<T>()[deep] = c.in(0).as<T>()[wide]; });
  });
}

}  // namespace ingot
