// Ops that make tensors: Shape, Size, ConstantOfShape, Range, OneHot, EyeLike.
#include <algorithm>
#include <cmath>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {

void ref_Shape(KernelContext& c) {
  const Shape& s = c.in(0).shape;
  int64_t start = c.node.attributes.get_int("start", 0);
  if (start < 0) start += s.rank();
  start = std::clamp<int64_t>(start, 0, s.rank());
  for (int64_t i = 0; i < c.out(0).num_elements(); ++i) c.out(0).as<int64_t>()[i] = s[static_cast<int>(start + i)];
}

void ref_Size(KernelContext& c) { *c.out(0).as<int64_t>() = c.in(0).num_elements(); }

void ref_ConstantOfShape(KernelContext& c) {
  const Attribute* value = c.node.attributes.find("value");
  dispatch_moved(c, c.out(0).dtype, [&]<class T>() {
    const T v = value ? *std::get<Tensor>(*value).as<T>() : T{};
    std::fill_n(c.out(0).as<T>(), c.out(0).num_elements(), v);
  });
}

void ref_Range(KernelContext& c) {
  dispatch_number(c, c.in(0).dtype, [&]<class T>() {
    using V = Compute<T>;
    const V start = *c.in(0).as<T>(), delta = *c.in(2).as<T>();
    for (int64_t i = 0; i < c.out(0).num_elements(); ++i) {
      if constexpr (kIsFloating<T>)
        c.out(0).as<T>()[i] = static_cast<T>(start + static_cast<V>(i) * delta);
      else
        c.out(0).as<T>()[i] =
            static_cast<T>(static_cast<uint64_t>(start) + static_cast<uint64_t>(i) * static_cast<uint64_t>(delta));
    }
  });
}

void ref_OneHot(KernelContext& c) {
  const TensorView& indices = c.in(0);
  const Shape& out = c.out(0).shape;
  const AxisView v(out, axis_of(c, -1, out.rank()));
  dispatch_moved(c, c.out(0).dtype, [&]<class T>() {
    const T off = c.in(2).as<T>()[0], on = c.in(2).as<T>()[1];
    std::fill_n(c.out(0).as<T>(), out.num_elements(), off);
    dispatch_number(c, indices.dtype, [&]<class I>() {
      for (int64_t i = 0; i < indices.num_elements(); ++i) {
        const double given = static_cast<double>(indices.as<I>()[i]);
        if (!(given >= -static_cast<double>(v.size) && given < static_cast<double>(v.size))) continue;
        const int64_t index = static_cast<int64_t>(given) + (given < 0 ? v.size : 0);
        c.out(0).as<T>()[(i / v.inner * v.size + index) * v.inner + i % v.inner] = on;
      }
    });
  });
}

void ref_EyeLike(KernelContext& c) {
  const TensorRef& y = c.out(0);
  const int64_t k = c.node.attributes.get_int("k");
  const auto fill = [&]<class T>() {
    for (int64_t i = 0; i < y.shape[0]; ++i)
      for (int64_t j = 0; j < y.shape[1]; ++j) y.as<T>()[i * y.shape[1] + j] = T(j == i + k ? 1 : 0);
  };
  if (y.dtype == DType::kBool) return fill.template operator()<bool>();
  dispatch_number(c, y.dtype, fill);
}

}  // namespace ingot
