// Resize as separable interpolation: for each axis a list of weighted taps per output position.
//
// Coordinate modes, nearest modes and kernels follow the ONNX specification of Resize; sums in double.
#include <algorithm>
#include <cmath>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

struct Tap {
  int64_t from;
  double weight;
};
using Taps = std::vector<Tap>;  // empty: the position is extrapolated

struct AxisPlan {
  int64_t in, out;
  double scale;  // output per input
  double roi_start = 0, roi_end = 1;
};

class Resizer {
 public:
  explicit Resizer(const Attributes& a)
      : mode_(a.get_string("mode", "nearest")),
        coordinates_(a.get_string("coordinate_transformation_mode", "half_pixel")),
        nearest_(a.get_string("nearest_mode", "round_prefer_floor")),
        cubic_(a.get_float("cubic_coeff_a", -0.75f)),
        exclude_outside_(a.get_int("exclude_outside") != 0),
        antialias_(a.get_int("antialias") != 0) {}

  Taps taps(const AxisPlan& p, int64_t x) const {
    const double at = source(p, static_cast<double>(x));
    if (coordinates_ == "tf_crop_and_resize" && (at < 0 || at > static_cast<double>(p.in - 1))) return {};
    const auto clamped = [&](double i) {
      return static_cast<int64_t>(std::clamp(i, 0.0, static_cast<double>(p.in - 1)));
    };
    if (mode_ == "nearest") return {{clamped(nearest(at)), 1.0}};
    const double squeeze = antialias_ ? std::min(p.scale, 1.0) : 1.0;
    const double radius = (mode_ == "cubic" ? 2 : 1) / squeeze;
    Taps out;
    double sum = 0;
    for (double i = std::floor(at - radius) + 1; i < at + radius; ++i) {
      const bool outside = i < 0 || i > static_cast<double>(p.in - 1);
      const double weight = exclude_outside_ && outside ? 0 : kernel((i - at) * squeeze);
      out.push_back({clamped(i), weight});
      sum += weight;
    }
    for (Tap& t : out) t.weight /= sum;
    return out;
  }

 private:
  // The input coordinate that output position x samples.
  double source(const AxisPlan& p, double x) const {
    const double in = static_cast<double>(p.in), out = p.scale * in;
    if (coordinates_ == "align_corners") return out == 1 ? 0 : x * (in - 1) / (out - 1);
    if (coordinates_ == "asymmetric") return x / p.scale;
    if (coordinates_ == "tf_half_pixel_for_nn") return (x + 0.5) / p.scale;
    if (coordinates_ == "pytorch_half_pixel") return out == 1 ? -0.5 : (x + 0.5) / p.scale - 0.5;
    if (coordinates_ == "tf_crop_and_resize") {
      const double span = (p.roi_end - p.roi_start) * (in - 1);
      return p.roi_start * (in - 1) + (out == 1 ? span / 2 : x * span / (out - 1));
    }
    const double shift = coordinates_ == "half_pixel_symmetric" ? in / 2 * (1 - static_cast<double>(p.out) / out) : 0;
    return shift + (x + 0.5) / p.scale - 0.5;
  }
  double nearest(double at) const {
    if (nearest_ == "floor") return std::floor(at);
    if (nearest_ == "ceil") return std::ceil(at);
    return nearest_ == "round_prefer_ceil" ? std::floor(at + 0.5) : std::ceil(at - 0.5);
  }
  double kernel(double x) const {
    x = std::fabs(x);
    if (mode_ != "cubic") return std::max(0.0, 1 - x);
    if (x <= 1) return ((cubic_ + 2) * x - (cubic_ + 3)) * x * x + 1;
    return x < 2 ? ((cubic_ * x - 5 * cubic_) * x + 8 * cubic_) * x - 4 * cubic_ : 0;
  }

  std::string mode_, coordinates_, nearest_;
  double cubic_;
  bool exclude_outside_, antialias_;
};

// Scale and region of interest of every axis.
std::vector<AxisPlan> plan_axes(const KernelContext& c) {
  const Shape &in = c.in(0).shape, &out = c.out(0).shape;
  const Attributes& a = c.node.attributes;
  std::vector<int64_t> axes = a.get_ints("axes");
  if (axes.empty())
    for (int d = 0; d < in.rank(); ++d) axes.push_back(d);
  std::vector<AxisPlan> plans;
  for (int d = 0; d < in.rank(); ++d)
    plans.push_back({in[d], out[d], in[d] ? static_cast<double>(out[d]) / static_cast<double>(in[d]) : 1});
  const bool scales = c.has_input(2) && c.in(2).num_elements() == static_cast<int64_t>(axes.size());
  const std::string policy = a.get_string("keep_aspect_ratio_policy", "stretch");
  double common = 0;
  if (!scales && policy != "stretch")
    for (size_t i = 0; i < axes.size(); ++i) {
      const int64_t d = axes[i] < 0 ? axes[i] + in.rank() : axes[i];
      const double s = static_cast<double>(index_at(c.in(3), static_cast<int64_t>(i))) /
                       static_cast<double>(in[static_cast<int>(d)]);
      common = i == 0 ? s : policy == "not_larger" ? std::min(common, s) : std::max(common, s);
    }
  const int64_t n = static_cast<int64_t>(axes.size());
  const bool roi = c.has_input(1) && c.in(1).num_elements() == 2 * n;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t d = axes[static_cast<size_t>(i)];
    AxisPlan& p = plans[static_cast<size_t>(d < 0 ? d + in.rank() : d)];
    if (scales) p.scale = c.in(2).as<float>()[i];
    if (common > 0) p.scale = common;
    if (!roi) continue;
    dispatch_float(c, c.in(1).dtype, [&]<class T>() {
      p.roi_start = static_cast<double>(c.in(1).as<T>()[i]);
      p.roi_end = static_cast<double>(c.in(1).as<T>()[n + i]);
    });
  }
  return plans;
}

// Resizes one axis of `data`, whose shape is `shape`. Positions without taps are marked with NaN weights.
std::vector<double> resize_axis(const std::vector<double>& data, Shape& shape, int axis, const AxisPlan& p,
                                const Resizer& resizer, std::vector<char>& outside) {
  Shape to = shape;
  to[axis] = p.out;
  const AxisView v(shape, axis);
  std::vector<double> result(static_cast<size_t>(to.num_elements()), 0);
  std::vector<char> marked(result.size(), 0);
  for (int64_t x = 0; x < p.out; ++x) {
    const Taps taps = resizer.taps(p, x);
    for (int64_t o = 0; o < v.outer; ++o)
      for (int64_t i = 0; i < v.inner; ++i) {
        const size_t at = static_cast<size_t>((o * p.out + x) * v.inner + i);
        marked[at] = taps.empty();
        for (const Tap& t : taps) {
          const size_t from = static_cast<size_t>((o * v.size + t.from) * v.inner + i);
          result[at] += t.weight * data[from];
          marked[at] |= outside[from];
        }
      }
  }
  shape = to;
  outside = std::move(marked);
  return result;
}

}  // namespace

void ref_Resize(KernelContext& c) {
  const Resizer resizer(c.node.attributes);
  const std::vector<AxisPlan> plans = plan_axes(c);
  const bool crop = c.node.attributes.get_string("coordinate_transformation_mode") == "tf_crop_and_resize";
  const double extrapolation = c.node.attributes.get_float("extrapolation_value", 0);
  dispatch_number(c, c.in(0).dtype, [&]<class T>() {
    Shape shape = c.in(0).shape;
    std::vector<double> data;
    for (int64_t i = 0; i < shape.num_elements(); ++i) data.push_back(static_cast<double>(c.in(0).as<T>()[i]));
    std::vector<char> outside(data.size(), 0);
    for (size_t d = 0; d < plans.size(); ++d) {
      const AxisPlan& p = plans[d];
      const bool same = p.in == p.out && p.scale == 1 && (!crop || (p.roi_start == 0 && p.roi_end == 1));
      if (!same) data = resize_axis(data, shape, static_cast<int>(d), p, resizer, outside);
    }
    for (size_t i = 0; i < data.size(); ++i) {
      const double v = outside[i] ? extrapolation : data[i];
      if constexpr (kIsFloating<T>)
        c.out(0).as<T>()[i] = static_cast<T>(static_cast<Compute<T>>(v));
      else
        c.out(0).as<T>()[i] = static_cast<T>(static_cast<int64_t>(v));
    }
  });
}

}  // namespace ingot
