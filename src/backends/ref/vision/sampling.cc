// Reading images between pixels: GridSample and AffineGrid (Jaderberg et al., "Spatial Transformer Networks", 2015),
// DeformConv (Dai et al. 2017; Zhu et al. 2019).
#include <algorithm>
#include <array>
#include <cmath>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"
#include "backends/ref/reals.h"
#include "ir/window.h"

namespace ingot {
namespace {

enum class Border { kZeros, kClamp, kReflect };

// x folded into [low, high] at its ends.
double reflected(double x, double low, double high) {
  const double range = high - low;
  if (range <= 0) return low;
  const double away = std::fmod(std::fabs(x - low), 2 * range);
  return low + (away > range ? 2 * range - away : away);
}

// One axis of an image.
struct Axis {
  int64_t size;
  Border border;
  bool corners;
  double low() const { return corners ? 0 : -0.5; }
  double high() const { return static_cast<double>(size) - (corners ? 1 : 0.5); }

  // From [-1, 1] to pixels.
  double place(double n) const {
    return corners ? (n + 1) / 2 * static_cast<double>(size - 1) : ((n + 1) * static_cast<double>(size) - 1) / 2;
  }
  double bounded(double x) const {
    if (x >= low() && x <= high()) return x;
    if (border == Border::kClamp) return std::clamp(x, 0.0, static_cast<double>(size - 1));
    return border == Border::kReflect ? reflected(x, low(), high()) : x;
  }
  // The pixel at position i, or -1 where there is none.
  int64_t pixel(int64_t i) const {
    if (i >= 0 && i < size) return i;
    if (border == Border::kZeros) return -1;
    if (border == Border::kClamp) return std::clamp<int64_t>(i, 0, size - 1);
    const double back = reflected(static_cast<double>(i), low(), high());
    return std::clamp<int64_t>(static_cast<int64_t>(back), 0, size - 1);
  }
};

// The taps of an interpolation at x: pixel numbers from `first` on, and their weights.
struct Taps {
  int64_t first = 0;
  std::array<double, 4> weights{};
  size_t count = 1;
};

Taps taps_at(double x, std::string_view mode) {
  // Far outside, where pixels have no numbers, all is border.
  x = std::isnan(x) ? -0x1p40 : std::clamp(x, -0x1p40, 0x1p40);
  if (mode == "nearest") return {static_cast<int64_t>(std::nearbyint(x)), {1}, 1};
  const double floor = std::floor(x), f = x - floor;
  if (mode != "cubic") return {static_cast<int64_t>(floor), {1 - f, f}, 2};
  // Keys 1981, with a = -0.75.
  constexpr double a = -0.75;
  const auto near = [](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  const auto far = [](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  return {static_cast<int64_t>(floor) - 1, {far(f + 1), near(f), near(1 - f), far(2 - f)}, 4};
}

// The value of `plane` at the crossing of `taps`, one per axis.
double interpolate(const double* plane, std::span<const Axis> axes, std::span<const Taps> taps) {
  if (axes.empty()) return *plane;
  int64_t inner = 1;
  for (const Axis& axis : axes.subspan(1)) inner *= axis.size;
  double sum = 0;
  for (size_t i = 0; i < taps[0].count; ++i) {
    const int64_t pixel = axes[0].pixel(taps[0].first + static_cast<int64_t>(i));
    if (pixel >= 0) sum += taps[0].weights[i] * interpolate(plane + pixel * inner, axes.subspan(1), taps.subspan(1));
  }
  return sum;
}

}  // namespace

void ref_GridSample(KernelContext& c) {
  const Attributes& a = c.node.attributes;
  const Shape &xs = c.in(0).shape, &ys = c.out(0).shape;
  const std::string mode = a.get_string("mode", "linear"), padding = a.get_string("padding_mode", "zeros");
  const Border border = padding == "zeros" ? Border::kZeros : padding == "border" ? Border::kClamp : Border::kReflect;
  std::vector<Axis> axes;
  for (int d = 2; d < xs.rank(); ++d) axes.push_back({xs[d], border, a.get_int("align_corners") != 0});
  const int64_t pixels = xs.product(2, xs.rank()), points = ys.product(2, ys.rank());
  const auto x = reals_of(c.in(0)), grid = reals_of(c.in(1));
  std::vector<Taps> taps(axes.size());
  for (int64_t p = 0; p < xs[0] * points; ++p) {
    for (size_t d = 0; d < axes.size(); ++d) {  // the grid names the innermost axis first
      const size_t at = static_cast<size_t>(p) * axes.size() + axes.size() - 1 - d;
      const double place = static_cast<float>(axes[d].place(grid[at]));
      // A cubic keeps its weights where it lies outside; only the pixels it takes are bounded.
      const bool outside_counts = mode == "cubic" && border == Border::kClamp;
      const double at_pixel = mode == "nearest" ? std::nearbyint(place) : place;
      taps[d] = taps_at(outside_counts ? at_pixel : axes[d].bounded(at_pixel), mode);
    }
    for (int64_t ch = 0; ch < xs[1]; ++ch) {
      const int64_t plane = p / points * xs[1] + ch;
      store_real(c.out(0), plane * points + p % points, interpolate(x.data() + plane * pixels, axes, taps));
    }
  }
}

// theta times (x, y, 1) or (x, y, z, 1) for each pixel's center, in [-1, 1].
void ref_AffineGrid(KernelContext& c) {
  const Shape& ys = c.out(0).shape;
  const bool corners = c.node.attributes.get_int("align_corners") != 0;
  const int rank = ys.rank() - 2;
  const auto theta = reals_of(c.in(0));
  const int64_t points = ys.product(1, 1 + rank);
  for (int64_t i = 0; i < ys[0] * points; ++i) {
    std::vector<double> position(static_cast<size_t>(rank) + 1, 1.0);  // innermost axis first, then 1
    int64_t rest = i % points;
    for (int d = rank; d >= 1; --d) {
      const double n = static_cast<double>(ys[d]), at = static_cast<double>(rest % ys[d]);
      position[static_cast<size_t>(rank - d)] = corners ? (n > 1 ? 2 * at / (n - 1) - 1 : -1) : (2 * at + 1) / n - 1;
      rest /= ys[d];
    }
    for (int64_t row = 0; row < rank; ++row) {
      double sum = 0;
      for (size_t k = 0; k < position.size(); ++k)
        sum += theta[static_cast<size_t>(i / points * rank + row) * position.size() + k] * position[k];
      store_real(c.out(0), i * rank + row, sum);
    }
  }
}

// A convolution whose taps are moved by offsets (and weighted by a mask), read bilinearly; zero outside.
void ref_DeformConv(KernelContext& c) {
  const Attributes& a = c.node.attributes;
  const Shape &xs = c.in(0).shape, &ws = c.in(1).shape, &ys = c.out(0).shape;
  const auto parsed = parse_window(a, 2, {ws[2], ws[3]});
  INGOT_CHECK(parsed.has_value());
  Window window = *parsed;
  window.resolve_pads(xs.dims().data() + 2);
  const int64_t maps = ws[0] / a.get_int("group", 1), offset_groups = a.get_int("offset_group", 1);
  const int64_t taps = ws[2] * ws[3], points = ys[2] * ys[3], per_offset = xs[1] / offset_groups;
  const auto x = reals_of(c.in(0)), w = reals_of(c.in(1)), offset = reals_of(c.in(2));
  const auto bias = c.has_input(3) ? reals_of(c.in(3)) : std::vector<double>{};
  const auto mask = c.has_input(4) ? reals_of(c.in(4)) : std::vector<double>{};
  const Axis axes[2] = {{xs[2], Border::kZeros, true}, {xs[3], Border::kZeros, true}};
  for (int64_t i = 0; i < ys.num_elements(); ++i) {
    const int64_t n = i / points / ys[1], m = i / points % ys[1], p = i % points;
    double sum = bias.empty() ? 0 : bias[static_cast<size_t>(m)];
    for (int64_t k = 0; k < ws[1] * taps; ++k) {
      const int64_t ch = m / maps * ws[1] + k / taps, tap = k % taps;
      const int64_t moved = (n * offset_groups + ch / per_offset) * taps + tap;
      const auto at = [&](size_t d, int64_t out, int64_t kernel) {
        const int64_t base = out * window.strides[d] - window.pads_begin[d] + kernel * window.dilations[d];
        return static_cast<double>(base) +
               offset[static_cast<size_t>((moved * 2 + static_cast<int64_t>(d)) * points + p)];
      };
      const Taps crossing[2] = {taps_at(at(0, p / ys[3], tap / ws[3]), "linear"),
                                taps_at(at(1, p % ys[3], tap % ws[3]), "linear")};
      const double v = interpolate(x.data() + (n * xs[1] + ch) * xs[2] * xs[3], axes, crossing);
      sum += v * w[static_cast<size_t>(m * ws[1] * taps + k)] *
             (mask.empty() ? 1 : mask[static_cast<size_t>(moved * points + p)]);
    }
    store_real(c.out(0), i, sum);
  }
}

}  // namespace ingot
