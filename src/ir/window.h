// The sliding windows of convolution and pooling: attributes with defaults, output sizes, padding.
//
// Used by shape inference and by every backend's kernels, so that they agree. Pure functions of values.
#pragma once

#include <string>
#include <vector>

#include "ir/attributes.h"
#include "ir/dim.h"

namespace ingot {

enum class AutoPad { kNotSet, kValid, kSameUpper, kSameLower };

// One entry per spatial axis in each list.
struct Window {
  std::vector<int64_t> kernel, strides, dilations, pads_begin, pads_end;
  AutoPad auto_pad = AutoPad::kNotSet;
  bool ceil_mode = false;

  int rank() const { return static_cast<int>(kernel.size()); }
  int64_t extent(size_t axis) const { return (kernel[axis] - 1) * dilations[axis] + 1; }
  Dim output_size(size_t axis, const Dim& input) const;
  // Fills pads_begin and pads_end for concrete input sizes when auto_pad computes them.
  void resolve_pads(const int64_t* input);
};

// `kernel` are the weight's spatial sizes, or empty when the attribute kernel_shape must say it.
// Errors: kInvalidArgument for lists of another length, values out of range, an unknown auto_pad.
Result<Window> parse_window(const Attributes& attributes, int spatial_rank, std::vector<int64_t> kernel);

}  // namespace ingot
