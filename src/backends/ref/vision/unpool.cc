// Putting pieces back into images: Col2Im, MaxUnpool, CenterCropPad.
#include <algorithm>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"
#include "backends/ref/reals.h"
#include "ir/window.h"

namespace ingot {

// Blocks are added up where they overlap: the reverse of cutting an image into its windows.
void ref_Col2Im(KernelContext& c) {
  const Shape &xs = c.in(0).shape, &ys = c.out(0).shape, image(ys.dims().subspan(2));
  std::vector<int64_t> kernel;
  for (int64_t i = 0; i < c.in(2).num_elements(); ++i) kernel.push_back(index_at(c.in(2), i));
  auto window = parse_window(c.node.attributes, image.rank(), kernel);
  INGOT_CHECK(window.has_value());
  Shape blocks;
  for (int d = 0; d < image.rank(); ++d)
    blocks.push_back(window->output_size(static_cast<size_t>(d), image[d]).value());
  window->resolve_pads(image.dims().data());
  const Shape taps(kernel);
  const auto st = strides_of(taps), sb = strides_of(blocks), si = strides_of(image);
  const auto x = reals_of(c.in(0));
  std::vector<double> y(static_cast<size_t>(ys.num_elements()));
  for (int64_t i = 0; i < xs.num_elements(); ++i) {
    const int64_t block = i % xs[2], tap = i / xs[2] % taps.num_elements(), plane = i / xs[2] / taps.num_elements();
    int64_t to = 0;
    bool inside = true;
    for (int d = 0; d < image.rank(); ++d) {
      const size_t at = static_cast<size_t>(d);
      const int64_t p = block / sb[at] % blocks[d] * window->strides[at] +
                        tap / st[at] % taps[d] * window->dilations[at] - window->pads_begin[at];
      inside &= p >= 0 && p < image[d];
      to += p * si[at];
    }
    if (inside) y[static_cast<size_t>(plane * image.num_elements() + to)] += x[static_cast<size_t>(i)];
  }
  store_reals(c.out(0), y);
}

// Elements return to where MaxPool found them; an output larger than the pooled input keeps it in its first corner.
void ref_MaxUnpool(KernelContext& c) {
  const Shape &xs = c.in(0).shape, &ys = c.out(0).shape;
  const auto window = parse_window(c.node.attributes, xs.rank() - 2, {});
  INGOT_CHECK(window.has_value());
  Shape pooled{xs[0], xs[1]};
  for (int d = 2; d < xs.rank(); ++d) {
    const size_t at = static_cast<size_t>(d) - 2;
    pooled.push_back((xs[d] - 1) * window->strides[at] + window->kernel[at] - window->pads_begin[at] -
                     window->pads_end[at]);
  }
  const auto from = strides_of(pooled), to = strides_of(ys);
  dispatch_moved(c, c.in(0).dtype, [&]<class T>() {
    std::fill_n(c.out(0).as<T>(), ys.num_elements(), T{});
    for (int64_t i = 0; i < xs.num_elements(); ++i) {
      const int64_t index = c.in(1).as<int64_t>()[i];
      bool inside = index >= 0 && index < pooled.num_elements();
      int64_t at = 0;
      for (int d = 0; inside && d < pooled.rank(); ++d) {
        const int64_t p = index / from[static_cast<size_t>(d)] % pooled[d];
        inside = p < ys[d];
        at += p * to[static_cast<size_t>(d)];
      }
      if (!inside) return invalid_data(c, fmt::format("index {} is not in {}", index, ys.to_string()));
      c.out(0).as<T>()[at] = c.in(0).as<T>()[i];
    }
  });
}

// Along each axis the middle of the input lies on the middle of the output; zeros around it.
void ref_CenterCropPad(KernelContext& c) {
  const Shape &xs = c.in(0).shape, &ys = c.out(0).shape;
  const auto sx = strides_of(xs), sy = strides_of(ys);
  dispatch_moved(c, c.in(0).dtype, [&]<class T>() {
    for (int64_t i = 0; i < ys.num_elements(); ++i) {
      bool inside = true;
      int64_t from = 0;
      for (int d = 0; d < ys.rank(); ++d) {
        const int64_t cut = xs[d] > ys[d] ? (xs[d] - ys[d]) / 2 : -((ys[d] - xs[d]) / 2);
        const int64_t p = i / sy[static_cast<size_t>(d)] % ys[d] + cut;
        inside &= p >= 0 && p < xs[d];
        from += p * sx[static_cast<size_t>(d)];
      }
      c.out(0).as<T>()[i] = inside ? c.in(0).as<T>()[from] : T{};
    }
  });
}

}  // namespace ingot
