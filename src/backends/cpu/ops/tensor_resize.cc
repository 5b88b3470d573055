// Resize on the CPU: float32, nearest and linear, along the last one or two axes.
#include <algorithm>
#include <cmath>

#include "backends/backend.h"
#include "backends/cpu/kernels/pointwise/pointwise.h"
#include "backends/cpu/kernels/simd/float_isa.h"

namespace ingot {
namespace {

// Two input positions and their weights; nearest uses the first alone.
struct Tap {
  int32_t first, second;
  float first_weight, second_weight;
};

enum class Coordinates { kHalfPixel, kAsymmetric, kAlignCorners, kPytorchHalfPixel, kHalfPixelForNearest };
enum class Nearest { kPreferFloor, kPreferCeil, kFloor, kCeil };

struct Prepared {
  const PointwiseKernels* kernels;
  bool linear;
  Coordinates coordinates;
  Nearest nearest;
  std::vector<int64_t> axes;  // of the scales operand; empty: all
};

template <class E, size_t N>
std::optional<E> named(std::string_view name, const std::string_view (&names)[N]) {
  const auto it = std::find(std::begin(names), std::end(names), name);
  return it == std::end(names) ? std::nullopt : std::optional(static_cast<E>(it - std::begin(names)));
}

std::optional<Coordinates> coordinates_of(const Attributes& a) {
  static constexpr std::string_view kNames[] = {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel",
                                                "tf_half_pixel_for_nn"};
  return named<Coordinates>(a.get_string("coordinate_transformation_mode", "half_pixel"), kNames);
}

std::optional<Nearest> nearest_of(const Attributes& a) {
  static constexpr std::string_view kNames[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  return named<Nearest>(a.get_string("nearest_mode", "round_prefer_floor"), kNames);
}

double source(Coordinates mode, double x, double in, double scale) {
  const double out = in * scale;
  switch (mode) {
    case Coordinates::kAsymmetric: return x / scale;
    case Coordinates::kAlignCorners: return out == 1 ? 0 : x * (in - 1) / (out - 1);
    case Coordinates::kPytorchHalfPixel: return out == 1 ? -0.5 : (x + 0.5) / scale - 0.5;
    case Coordinates::kHalfPixelForNearest: return (x + 0.5) / scale;
    case Coordinates::kHalfPixel: break;
  }
  return (x + 0.5) / scale - 0.5;
}

double nearest(Nearest mode, double at) {
  switch (mode) {
    case Nearest::kFloor: return std::floor(at);
    case Nearest::kCeil: return std::ceil(at);
    case Nearest::kPreferCeil: return std::floor(at + 0.5);
    case Nearest::kPreferFloor: break;
  }
  return std::ceil(at - 0.5);
}

void fill_taps(const Prepared& p, int64_t in, int64_t out, double scale, Tap* taps) {
  const auto clamped = [&](double i) { return static_cast<int32_t>(std::clamp(i, 0.0, static_cast<double>(in - 1))); };
  for (int64_t x = 0; x < out; ++x) {
    if (in == out && scale == 1) {
      taps[x] = {static_cast<int32_t>(x), static_cast<int32_t>(x), 1, 0};
      continue;
    }
    const double at = source(p.coordinates, static_cast<double>(x), static_cast<double>(in), scale);
    if (!p.linear) {
      const int32_t i = clamped(nearest(p.nearest, at));
      taps[x] = {i, i, 1, 0};
      continue;
    }
    const double low = std::floor(at), weight = at - low;
    taps[x] = {clamped(low), clamped(low + 1), static_cast<float>(1 - weight), static_cast<float>(weight)};
  }
}

// Output per input along an axis: the scales operand if there is one, else the ratio of sizes.
double scale_of(const KernelContext& c, const Prepared& p, int axis) {
  const Shape &in = c.in(0).shape, &out = c.out(0).shape;
  if (c.has_input(2) && c.in(2).num_elements() > 0)
    for (int64_t i = 0; i < c.in(2).num_elements(); ++i) {
      const int64_t given = p.axes.empty() ? i : p.axes[static_cast<size_t>(i)];
      if ((given < 0 ? given + in.rank() : given) == axis) return c.in(2).as<float>()[i];
    }
  return static_cast<double>(out[axis]) / static_cast<double>(in[axis]);
}

int64_t height_of(const Shape& s) { return s.rank() == 4 ? s[2] : 1; }

int64_t work(const BoundShapes& s) { return 4 * s.outputs[0].num_elements(); }

// The taps of rows and columns, then one row a thread.
size_t scratch_bytes(const BoundShapes& s) {
  const Shape& out = s.outputs[0].shape;
  return static_cast<size_t>(height_of(out) + out.at(-1)) * sizeof(Tap) +
         static_cast<size_t>(s.inputs[0].shape.at(-1) * s.num_threads) * sizeof(float);
}

void run(KernelContext& c) {
  const Prepared& p = *static_cast<const Prepared*>(c.prepared);
  const Shape &in = c.in(0).shape, &out = c.out(0).shape;
  const int64_t in_h = height_of(in), out_h = height_of(out), in_w = in.at(-1), out_w = out.at(-1);
  Tap *rows = reinterpret_cast<Tap*>(c.scratch), *columns = rows + out_h;
  float* blended = reinterpret_cast<float*>(columns + out_w) + in_w * c.thread;
  if (c.thread == 0) {
    fill_taps(p, in_h, out_h, in.rank() == 4 ? scale_of(c, p, 2) : 1, rows);
    fill_taps(p, in_w, out_w, scale_of(c, p, in.rank() - 1), columns);
  }
  if (c.num_threads > 1) c.barrier();
  const Range r = c.share(in[0] * in[1] * out_h);
  for (int64_t i = r.begin; i < r.end; ++i) {
    const Tap& tap = rows[i % out_h];
    const float* plane = c.in(0).as<float>() + i / out_h * in_h * in_w;
    float* y = c.out(0).as<float>() + i * out_w;
    const float* row = plane + tap.first * in_w;
    if (!p.linear) {
      if (i > r.begin && i % out_h > 0 && rows[i % out_h - 1].first == tap.first)
        std::copy_n(y - out_w, out_w, y);
      else
        for (int64_t x = 0; x < out_w; ++x) y[x] = row[columns[x].first];
      continue;
    }
    p.kernels->blend(row, tap.first_weight, plane + tap.second * in_w, tap.second_weight, blended, in_w);
    for (int64_t x = 0; x < out_w; ++x) {
      const Tap& t = columns[x];
      y[x] = blended[t.first] * t.first_weight + blended[t.second] * t.second_weight;
    }
  }
}

}  // namespace

Support cpu_supports_tensor_resize(const NodeView& v) {
  const Type &x = v.input_type(0), &y = v.output_type(0);
  const Attributes& a = v.node.attributes;
  if (x.dtype != DType::kF32 || !x.ranked() || !y.ranked() || (x.rank() != 3 && x.rank() != 4))
    return Support::no("the input is {}", x.to_string());
  for (size_t d : {0, 1})
    if (!(x.dims->at(d) == y.dims->at(d))) return Support::no("it resizes dimension {}", d);
  const std::string mode = a.get_string("mode", "nearest");
  if (mode != "nearest" && mode != "linear") return Support::no("mode {}", mode);
  if (!coordinates_of(a)) return Support::no("its coordinate mode");
  if (!nearest_of(a)) return Support::no("its nearest mode");
  if (a.get_int("antialias") || a.get_int("exclude_outside")) return Support::no("antialias or exclude_outside");
  if (a.get_string("keep_aspect_ratio_policy", "stretch") != "stretch") return Support::no("it keeps the aspect ratio");
  if (v.has_input(2) && v.input_type(2).dtype != DType::kF32) return Support::no("the scales are no float32");
  return Support::yes();
}

Result<Kernel> cpu_prepare_tensor_resize(const NodeView& v, ThreadPool&) {
  const Attributes& a = v.node.attributes;
  const Isa isa = float_isa();
  auto p = std::make_shared<Prepared>(Prepared{&pointwise(isa), a.get_string("mode", "nearest") == "linear",
                                               *coordinates_of(a), *nearest_of(a), a.get_ints("axes")});
  return Kernel{.name = fmt::format("resize_{}_{}", p->linear ? "linear" : "nearest", isa_name(isa)),
                .run = run,
                .prepared = p,
                .work = work,
                .scratch_bytes = scratch_bytes};
}

}  // namespace ingot
