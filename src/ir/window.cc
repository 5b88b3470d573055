#include "ir/window.h"

#include <algorithm>

namespace ingot {
namespace {

constexpr int64_t kValueMax = int64_t{1} << 31;
// Of all dimensions together: every output visits them, whether they meet the image or its padding.
constexpr int64_t kPositionsMax = int64_t{1} << 20;

Result<std::vector<int64_t>> list(const Attributes& a, std::string_view name, size_t count, int64_t otherwise,
                                  int64_t least) {
  std::vector<int64_t> v = a.get_ints(name);
  if (v.empty()) v.assign(count, otherwise);
  if (v.size() != count) return invalid("{} has {} entries, needs {}", name, v.size(), count);
  for (int64_t x : v)
    if (x < least || x > kValueMax) return invalid("{} contains {}", name, x);
  return v;
}

}  // namespace

Dim Window::output_size(size_t axis, const Dim& input) const {
  const int64_t s = strides[axis];
  if (auto_pad == AutoPad::kSameUpper || auto_pad == AutoPad::kSameLower) return ceil_div(input, s);
  const int64_t begin = auto_pad == AutoPad::kValid ? 0 : pads_begin[axis];
  const int64_t end = auto_pad == AutoPad::kValid ? 0 : pads_end[axis];
  const Dim span = input + Dim(begin + end - extent(axis));
  if (!ceil_mode) return floor_div(span, s) + Dim(1);
  // A window that would start in the padding at the end is left out.
  const Dim last = ceil_div(span, s);
  return (s == 1 ? last : min(last, floor_div(input + Dim(begin - 1), s))) + Dim(1);
}

void Window::resolve_pads(const int64_t* input) {
  for (size_t i = 0; i < kernel.size(); ++i) {
    if (auto_pad == AutoPad::kNotSet) continue;
    const int64_t out = auto_pad == AutoPad::kValid ? 0 : (input[i] + strides[i] - 1) / strides[i];
    const int64_t total = out ? std::max<int64_t>(0, (out - 1) * strides[i] + extent(i) - input[i]) : 0;
    pads_begin[i] = auto_pad == AutoPad::kSameLower ? total - total / 2 : total / 2;
    pads_end[i] = total - pads_begin[i];
  }
}

Result<Window> parse_window(const Attributes& a, int spatial_rank, std::vector<int64_t> kernel) {
  if (spatial_rank < 1) return invalid("the input has no spatial dimension");
  const size_t n = static_cast<size_t>(spatial_rank);
  Window w;
  const std::vector<int64_t> given = a.get_ints("kernel_shape");
  if (kernel.empty()) kernel = given;
  if (kernel.size() != n) return invalid("kernel_shape has {} entries, needs {}", kernel.size(), n);
  if (!given.empty() && given != kernel) return invalid("kernel_shape differs from the weight's shape");
  int64_t positions = 1;
  for (int64_t k : kernel) {
    if (k < 1 || k > kPositionsMax / positions)
      return invalid("kernel size {}: at least 1, and at most {} positions in all", k, kPositionsMax);
    positions *= k;
  }
  w.kernel = std::move(kernel);
  w.strides = INGOT_TRY(list(a, "strides", n, 1, 1));
  w.dilations = INGOT_TRY(list(a, "dilations", n, 1, 1));
  const std::vector<int64_t> pads = INGOT_TRY(list(a, "pads", 2 * n, 0, -kValueMax));
  w.pads_begin.assign(pads.begin(), pads.begin() + spatial_rank);
  w.pads_end.assign(pads.begin() + spatial_rank, pads.end());
  const std::string mode = a.get_string("auto_pad", "NOTSET");
  if (mode == "VALID")
    w.auto_pad = AutoPad::kValid;
  else if (mode == "SAME_UPPER")
    w.auto_pad = AutoPad::kSameUpper;
  else if (mode == "SAME_LOWER")
    w.auto_pad = AutoPad::kSameLower;
  else if (mode != "NOTSET" && !mode.empty())
    return invalid("auto_pad '{}' is not NOTSET, VALID, SAME_UPPER or SAME_LOWER", mode);
  if (w.auto_pad != AutoPad::kNotSet) {
    w.pads_begin.assign(n, 0);
    w.pads_end.assign(n, 0);
  }
  w.ceil_mode = a.get_int("ceil_mode") != 0;
  return w;
}

}  // namespace ingot
