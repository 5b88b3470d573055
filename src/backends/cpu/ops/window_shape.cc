#include "backends/cpu/ops/window_shape.h"

#include <algorithm>

namespace ingot {
namespace {

// Padding before an axis; SAME derives it from the sizes.
int64_t pad_of(const Window& w, size_t axis, int64_t in, int64_t out) {
  if (w.auto_pad != AutoPad::kSameUpper && w.auto_pad != AutoPad::kSameLower) return w.pads_begin[axis];
  const int64_t total = std::max<int64_t>(0, (out - 1) * w.strides[axis] + w.extent(axis) - in);
  return w.auto_pad == AutoPad::kSameUpper ? total / 2 : total - total / 2;
}

}  // namespace

std::vector<int64_t> spatial_of(const Shape& weight) {
  return std::vector<int64_t>(weight.dims().begin() + 2, weight.dims().end());
}

void set_sizes(const Window& w, const Shape& in, const Shape& out, ConvShape& s) {
  const bool flat = in.rank() == 3;
  const size_t last = flat ? 0 : 1;
  s.batch = in[0];
  s.height = flat ? 1 : in[2];
  s.width = in.at(-1);
  s.out_height = flat ? 1 : out[2];
  s.out_width = out.at(-1);
  s.stride_h = flat ? 1 : w.strides[0];
  s.dilation_h = flat ? 1 : w.dilations[0];
  s.pad_top = flat ? 0 : pad_of(w, 0, s.height, s.out_height);
  s.stride_w = w.strides[last];
  s.dilation_w = w.dilations[last];
  s.pad_left = pad_of(w, last, s.width, s.out_width);
}

}  // namespace ingot
