// NonMaxSuppression, RoiAlign (He et al., "Mask R-CNN", 2017), MaxRoiPool (Girshick, "Fast R-CNN", 2015).
#include <algorithm>
#include <cmath>

#include "backends/ref/kernels.h"
#include "backends/ref/reals.h"

namespace ingot {
namespace {

constexpr int64_t kSamplesMax = 1 << 16;  // of one bin

struct Box {
  float low_y, low_x, high_y, high_x;
  float area() const { return (high_y - low_y) * (high_x - low_x); }
};

// Corners in any order, or center and size.
Box box_at(const float* b, bool centered) {
  if (centered) return {b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2};
  return {std::min(b[0], b[2]), std::min(b[1], b[3]), std::max(b[0], b[2]), std::max(b[1], b[3])};
}

bool overlap(const Box& a, const Box& b, float threshold) {
  const float h = std::min(a.high_y, b.high_y) - std::max(a.low_y, b.low_y);
  const float w = std::min(a.high_x, b.high_x) - std::max(a.low_x, b.low_x);
  if (!(h > 0 && w > 0) || a.area() <= 0 || b.area() <= 0) return false;
  return h * w / (a.area() + b.area() - h * w) > threshold;
}

}  // namespace

// Per image and class: boxes by falling score, less those that overlap with one already taken.
void ref_NonMaxSuppression(KernelContext& c) {
  const Shape& scores = c.in(1).shape;
  const int64_t boxes = scores[2], most = c.has_input(2) ? *c.in(2).as<int64_t>() : 0;
  const float iou = c.has_input(3) ? *c.in(3).as<float>() : 0;
  const bool centered = c.node.attributes.get_int("center_point_box") != 0;
  std::vector<std::array<int64_t, 3>> found;
  for (int64_t image = 0; image < scores[0]; ++image)
    for (int64_t cls = 0; cls < scores[1]; ++cls) {
      const float* score = c.in(1).as<float>() + (image * scores[1] + cls) * boxes;
      std::vector<int64_t> order;
      for (int64_t i = 0; i < boxes; ++i)
        if (!std::isnan(score[i]) && (!c.has_input(4) || score[i] > *c.in(4).as<float>())) order.push_back(i);
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return score[a] > score[b]; });
      std::vector<Box> taken;
      for (int64_t i : order) {
        if (static_cast<int64_t>(taken.size()) >= most) break;
        const Box box = box_at(c.in(0).as<float>() + (image * boxes + i) * 4, centered);
        if (std::ranges::any_of(taken, [&](const Box& t) { return overlap(box, t, iou); })) continue;
        taken.push_back(box);
        found.push_back({image, cls, i});
      }
    }
  c.allocate_output(0, Shape{static_cast<int64_t>(found.size()), 3});
  if (!c.has_output(0)) return;  // no memory
  for (size_t i = 0; i < found.size(); ++i) std::ranges::copy(found[i], c.out(0).as<int64_t>() + 3 * i);
}

// Each bin is the mean, or the greatest, of points on a grid in it, interpolated between pixels.
void ref_RoiAlign(KernelContext& c) {
  const Attributes& a = c.node.attributes;
  const Shape &xs = c.in(0).shape, &ys = c.out(0).shape;
  const int64_t height = xs[2], width = xs[3], ratio = a.get_int("sampling_ratio");
  const double scale = a.get_float("spatial_scale", 1);
  const bool half_pixel = a.get_string("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  const bool average = a.get_string("mode", "avg") == "avg";
  const auto x = reals_of(c.in(0)), rois = reals_of(c.in(1));
  for (int64_t r = 0; r < ys[0]; ++r) {
    const int64_t image = c.in(2).as<int64_t>()[r];
    if (image < 0 || image >= xs[0]) return invalid_data(c, fmt::format("image {} is not in [0, {})", image, xs[0]));
    std::array<double, 4> roi;
    for (size_t i = 0; i < 4; ++i) roi[i] = rois[static_cast<size_t>(r) * 4 + i] * scale - (half_pixel ? 0.5 : 0);
    double roi_w = roi[2] - roi[0], roi_h = roi[3] - roi[1];
    if (!half_pixel) roi_w = std::max(roi_w, 1.0), roi_h = std::max(roi_h, 1.0);
    const double bin_h = roi_h / static_cast<double>(ys[2]), bin_w = roi_w / static_cast<double>(ys[3]);
    if (!(std::fabs(bin_h) < kSamplesMax && std::fabs(bin_w) < kSamplesMax))
      return invalid_data(c, fmt::format("region {} is of {} x {}", r, roi_h, roi_w));
    const int64_t grid_h = ratio ? ratio : static_cast<int64_t>(std::ceil(bin_h));
    const int64_t grid_w = ratio ? ratio : static_cast<int64_t>(std::ceil(bin_w));
    const int64_t samples = std::max<int64_t>(grid_h, 0) * std::max<int64_t>(grid_w, 0);
    if (samples > kSamplesMax) return invalid_data(c, fmt::format("region {} has {} samples a bin", r, samples));
    for (int64_t bin = 0; bin < ys[1] * ys[2] * ys[3]; ++bin) {
      const double* plane = x.data() + (image * xs[1] + bin / ys[3] / ys[2]) * height * width;
      double sum = 0, best = samples ? -INFINITY : 0;
      for (int64_t s = 0; s < samples; ++s) {
        const auto position = [](double start, double size, int64_t at, int64_t i, int64_t n) {
          return start + (static_cast<double>(at) + (static_cast<double>(i) + 0.5) / static_cast<double>(n)) * size;
        };
        double py = position(roi[1], bin_h, bin / ys[3] % ys[2], s / grid_w, grid_h);
        double px = position(roi[0], bin_w, bin % ys[3], s % grid_w, grid_w);
        const bool outside = py < -1 || py > static_cast<double>(height) || px < -1 || px > static_cast<double>(width);
        py = std::clamp(py, 0.0, static_cast<double>(height - 1));
        px = std::clamp(px, 0.0, static_cast<double>(width - 1));
        const int64_t y0 = static_cast<int64_t>(py), x0 = static_cast<int64_t>(px);
        const int64_t y1 = std::min(y0 + 1, height - 1), x1 = std::min(x0 + 1, width - 1);
        const double fy = py - static_cast<double>(y0), fx = px - static_cast<double>(x0);
        const double parts[4] = {(1 - fy) * (1 - fx) * plane[y0 * width + x0], (1 - fy) * fx * plane[y0 * width + x1],
                                 fy * (1 - fx) * plane[y1 * width + x0], fy * fx * plane[y1 * width + x1]};
        for (double part : parts) {
          sum += outside ? 0 : part;
          best = std::max(best, outside ? 0 : part);
        }
      }
      const double mean = sum / static_cast<double>(std::max<int64_t>(1, samples));
      store_real(c.out(0), r * ys[1] * ys[2] * ys[3] + bin, average ? mean : best);
    }
  }
}

// The greatest pixel of each bin of a region whose corners are rounded; 0 for an empty bin.
void ref_MaxRoiPool(KernelContext& c) {
  const Shape &xs = c.in(0).shape, &ys = c.out(0).shape;
  const double scale = c.node.attributes.get_float("spatial_scale", 1);
  const auto x = reals_of(c.in(0)), rois = reals_of(c.in(1));
  for (int64_t r = 0; r < ys[0]; ++r) {
    const double* roi = rois.data() + r * 5;
    for (int i = 0; i < 5; ++i)
      if (!(std::fabs(roi[i] * scale) < 0x1p31 && std::fabs(roi[i]) < 0x1p31))
        return invalid_data(c, fmt::format("region {} has {}", r, roi[i]));
    const int64_t image = static_cast<int64_t>(roi[0]);
    if (image < 0 || image >= xs[0]) return invalid_data(c, fmt::format("image {} is not in [0, {})", image, xs[0]));
    // The pixels of bin i of `count` along one axis.
    const auto range = [&](double first, double last, int64_t i, int64_t count, int64_t size) {
      const double start = std::round(first * scale), length = std::max(std::round(last * scale) - start + 1, 1.0);
      const double bin = length / static_cast<double>(count);
      const auto clamped = [&](double v) { return std::clamp<int64_t>(static_cast<int64_t>(v + start), 0, size); };
      return std::pair(clamped(std::floor(static_cast<double>(i) * bin)),
                       clamped(std::ceil(static_cast<double>(i + 1) * bin)));
    };
    for (int64_t bin = 0; bin < ys[1] * ys[2] * ys[3]; ++bin) {
      const double* plane = x.data() + (image * xs[1] + bin / ys[3] / ys[2]) * xs[2] * xs[3];
      const auto [top, bottom] = range(roi[2], roi[4], bin / ys[3] % ys[2], ys[2], xs[2]);
      const auto [left, right] = range(roi[1], roi[3], bin % ys[3], ys[3], xs[3]);
      double best = bottom > top && right > left ? -INFINITY : 0;
      for (int64_t row = top; row < bottom; ++row)
        for (int64_t column = left; column < right; ++column) best = std::max(best, plane[row * xs[3] + column]);
      store_real(c.out(0), r * ys[1] * ys[2] * ys[3] + bin, best);
    }
  }
}

}  // namespace ingot
