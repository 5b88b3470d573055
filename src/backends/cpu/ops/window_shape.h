// From a node's window and concrete shapes to what the convolution and pooling kernels take; one spatial dimension
// becomes the second of two. Thread-safety: pure functions that do not allocate, but spatial_of.
#pragma once

#include <vector>

#include "backends/cpu/kernels/conv/conv.h"
#include "ir/window.h"

namespace ingot {

// Kernel positions of windows that are walked by planes.
inline constexpr int64_t kWindowTapsMax = 225;

std::vector<int64_t> spatial_of(const Shape& weight);

// Sets batch, image sizes, strides, dilations and padding (kernel, maps, channels and group are the caller's).
void set_sizes(const Window& w, const Shape& in, const Shape& out, ConvShape& s);

}  // namespace ingot
