#include "serving/tensor_rows.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

namespace ingot::serving {
namespace {

constexpr size_t kCopiedBytesMax = 64u << 10;

void copy_elements(const TensorView& from, int64_t first, Tensor& to, int64_t at, int64_t count) {
  if (from.dtype == DType::kString) {
    std::copy_n(from.as<std::string>() + first, count, to.mutable_as<std::string>() + at);
    return;
  }
  const size_t size = dtype_bytes(from.dtype, 1);
  std::memcpy(to.mutable_as<std::byte>() + static_cast<size_t>(at) * size,
              from.as<std::byte>() + static_cast<size_t>(first) * size, static_cast<size_t>(count) * size);
}

int64_t row_elements(const TensorView& t) { return t.shape.product(1, t.shape.rank()); }

}  // namespace

Tensor allocate_uncleared(DType dtype, const Shape& shape) {
  if (dtype == DType::kString) return Tensor::allocate(dtype, shape);
  constexpr size_t kAlignment = 64;
  const size_t bytes = TensorView{dtype, shape, nullptr}.num_bytes();
  const size_t rounded = std::max(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  void* p = std::aligned_alloc(kAlignment, rounded);
  if (!p) throw std::bad_alloc();
  std::memset(static_cast<std::byte*>(p) + bytes, 0, rounded - bytes);
  return {TensorView{dtype, shape, p}, std::shared_ptr<void>(p, std::free)};
}

bool same_rows(const TensorView& a, const TensorView& b) {
  if (a.dtype != b.dtype || a.shape.rank() != b.shape.rank() || a.shape.rank() == 0) return false;
  for (int i = 1; i < a.shape.rank(); ++i)
    if (a.shape[i] != b.shape[i]) return false;
  return true;
}

Tensor join_rows(std::span<const TensorView> parts) {
  Shape shape = parts.front().shape;
  shape[0] = 0;
  for (const TensorView& p : parts) shape[0] += p.shape[0];
  Tensor out = allocate_uncleared(parts.front().dtype, shape);
  int64_t at = 0;
  for (const TensorView& p : parts) {
    copy_elements(p, 0, out, at, p.num_elements());
    at += p.num_elements();
  }
  return out;
}

Tensor copy_rows(const TensorView& whole, int64_t first, int64_t count) {
  Shape shape = whole.shape;
  shape[0] = count;
  Tensor out = allocate_uncleared(whole.dtype, shape);
  const int64_t row = row_elements(whole);
  copy_elements(whole, first * row, out, 0, count * row);
  return out;
}

Tensor keep_or_copy(const TensorView& whole, std::shared_ptr<const void> owner) {
  if (whole.num_bytes() > kCopiedBytesMax && whole.dtype != DType::kString) return {whole, std::move(owner)};
  Tensor out = allocate_uncleared(whole.dtype, whole.shape);
  copy_elements(whole, 0, out, 0, whole.num_elements());
  return out;
}

}  // namespace ingot::serving
