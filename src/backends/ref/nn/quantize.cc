// QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear.
#include <algorithm>
#include <cmath>

#include "backends/ref/broadcast.h"
#include "backends/ref/elementwise/number.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

// Which scale belongs to element i of the input: one for all, one per index of the axis, or one per block.
class ScaleIndex {
 public:
  explicit ScaleIndex(const KernelContext& c) : in_(c.in(0).shape), scales_(c.in(1).num_elements()) {
    block_ = c.node.attributes.get_int("block_size");
    const int axis = in_.rank() ? axis_of(c, 1, in_.rank()) : 0;
    if (scales_ == 1 || in_.rank() == 0 || axis < 0 || axis >= in_.rank()) return;
    size_ = in_[axis];
    inner_ = in_.product(axis + 1, in_.rank());
    if (block_ > 0) blocks_ = (size_ + block_ - 1) / block_;
  }
  bool fits() const {
    if (scales_ == 1) return true;
    if (blocks_) return scales_ * size_ == in_.num_elements() * blocks_;
    return scales_ == size_;
  }
  int64_t operator()(int64_t i) const {
    if (scales_ == 1) return 0;
    const int64_t at = i / inner_ % size_;
    return blocks_ ? (i / inner_ / size_ * blocks_ + at / block_) * inner_ + i % inner_ : at;
  }

 private:
  Shape in_;
  int64_t scales_, block_ = 0, blocks_ = 0, size_ = 1, inner_ = 1;
};

bool operands_fit(const KernelContext& c, const ScaleIndex& index) {
  for (int i = 0; i < 3; ++i)
    if ((i < 2 || c.has_input(2)) && !is_number_type(c.in(i).dtype)) return unsupported_type(c, c.in(i).dtype), false;
  if (!index.fits() || (c.has_input(2) && c.in(2).num_elements() != c.in(1).num_elements()))
    return invalid_data(c, "scale or zero point does not fit the input"), false;
  return true;
}

}  // namespace

// saturate(round(x / scale) + zero_point), halves to even.
void ref_QuantizeLinear(KernelContext& c) {
  const TensorRef& y = c.out(0);
  const ScaleIndex index(c);
  if (!operands_fit(c, index)) return;
  const bool saturate = c.node.attributes.get_int("saturate", 1) != 0;
  const auto [low, high] = integer_range(y.dtype);
  const bool single = c.in(0).dtype != DType::kF64;
  for (int64_t i = 0; i < c.in(0).num_elements(); ++i) {
    const int64_t at = index(i);
    const double x = load_number(c.in(0), i).real, scale = load_number(c.in(1), at).real;
    const double scaled = single ? static_cast<float>(x) / static_cast<float>(scale) : x / scale;
    if (is_small_float(y.dtype)) {
      store_number(y, i, {.real = scaled + 0.0}, saturate);  // the zero point, which also turns -0 into 0
      continue;
    }
    const double zero = c.has_input(2) ? load_number(c.in(2), at).real : 0;
    const double v = std::clamp(std::nearbyint(scaled) + zero, static_cast<double>(low), static_cast<double>(high));
    const int64_t integer = std::isnan(v) ? 0 : static_cast<int64_t>(v);
    store_number(y, i, {.real = v, .integer = integer, .integral = true}, saturate);
  }
}

void ref_DequantizeLinear(KernelContext& c) {
  const ScaleIndex index(c);
  if (!operands_fit(c, index)) return;
  for (int64_t i = 0; i < c.in(0).num_elements(); ++i) {
    const int64_t at = index(i);
    const double zero = c.has_input(2) ? load_number(c.in(2), at).real : 0;
    store_number(c.out(0), i, {.real = (load_number(c.in(0), i).real - zero) * load_number(c.in(1), at).real}, true);
  }
}

// u8 with the range stretched to hold 0.
void ref_DynamicQuantizeLinear(KernelContext& c) {
  if (c.in(0).dtype != DType::kF32) return unsupported_type(c, c.in(0).dtype);
  const float* x = c.in(0).as<float>();
  const int64_t n = c.in(0).num_elements();
  float low = 0, high = 0;
  for (int64_t i = 0; i < n; ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
  }
  const float scale = high == low ? 1.0f : (high - low) / 255;
  const float zero = std::nearbyint(std::clamp(-low / scale, 0.0f, 255.0f));
  for (int64_t i = 0; i < n; ++i)
    c.out(0).as<uint8_t>()[i] = static_cast<uint8_t>(std::clamp(std::nearbyint(x[i] / scale) + zero, 0.0f, 255.0f));
  if (c.has_output(1)) *c.out(1).as<float>() = scale;
  if (c.has_output(2)) *c.out(2).as<uint8_t>() = static_cast<uint8_t>(zero);
}

}  // namespace ingot
