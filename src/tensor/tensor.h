// Tensors: dense, contiguous, row-major. The innermost dimension of a quantized tensor is stored in
// whole blocks, so a row starts at a block border.
//   TensorRef   writable view, no ownership      TensorView  read-only view, no ownership
//   Tensor      a view that keeps its storage alive (a heap block, a mapped file, …)
// String tensors hold std::string objects; containers (sequences, optionals, maps) hold Tensor objects, each of which
// keeps its own storage alive. Thread-safety: plain values; the bytes are the caller's to guard.
#pragma once

#include <memory>
#include <string>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace ingot {

struct TensorView {
  DType dtype = DType::kF32;
  Shape shape;
  const void* data = nullptr;

  template <class T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
  int64_t num_elements() const { return shape.num_elements(); }
  size_t row_bytes() const { return dtype_bytes(dtype, shape.rank() ? shape.at(-1) : 1); }
  size_t num_bytes() const {
    if (dtype_info(dtype).block_elements == 1 || !is_quantized(dtype)) return dtype_bytes(dtype, num_elements());
    return row_bytes() * static_cast<size_t>(shape.product(0, shape.rank() - 1));
  }
};

struct TensorRef {
  DType dtype = DType::kF32;
  Shape shape;
  void* data = nullptr;

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  operator TensorView() const { return {dtype, shape, data}; }
  int64_t num_elements() const { return shape.num_elements(); }
  size_t num_bytes() const { return TensorView(*this).num_bytes(); }
};

class Tensor {
 public:
  Tensor() = default;
  // Borrows `view`'s bytes; `keepalive` owns them.
  Tensor(TensorView view, std::shared_ptr<const void> keepalive) : view_(view), storage_(std::move(keepalive)) {}
  // Owns fresh, 64-byte aligned, zeroed memory (strings are empty).
  static Tensor allocate(DType dtype, const Shape& shape);

  const TensorView& view() const { return view_; }
  operator TensorView() const { return view_; }
  // Only for a tensor that came from allocate().
  TensorRef mutable_view() { return {view_.dtype, view_.shape, const_cast<void*>(view_.data)}; }

  DType dtype() const { return view_.dtype; }
  const Shape& shape() const { return view_.shape; }
  template <class T>
  const T* as() const {
    return view_.as<T>();
  }
  template <class T>
  T* mutable_as() {
    return static_cast<T*>(const_cast<void*>(view_.data));
  }
  bool defined() const { return storage_ != nullptr; }
  const std::shared_ptr<const void>& storage() const { return storage_; }

 private:
  TensorView view_;
  std::shared_ptr<const void> storage_;
};

// A tensor of its own with the view's elements. Those of a container are shared: tensors in it never change.
Tensor copy_of(const TensorView& view);
// copy_of() into memory of the same type and shape, objects constructed.
void copy_elements(const TensorView& from, const TensorRef& to);

// 64-byte aligned memory, returned as an owner; zeroed.
std::shared_ptr<void> allocate_aligned(size_t bytes);
// The same in whole pages that cost memory only once they are touched; huge ones where it is large. For arenas.
// Null if the address space is exhausted.
std::shared_ptr<void> allocate_pages(size_t bytes);
// The same for caches that fill slowly from their start: the first 2 MB are small pages, so that a short sequence
// costs no huge page in each of a model's many caches.
std::shared_ptr<void> allocate_slow_pages(size_t bytes);
// The same for packed weights, which are many and live long: small pieces lie side by side in shared huge pages, which
// saves a page fault every 4 kB at load and address translations at every step. 64-byte aligned. Thread-safe.
std::shared_ptr<void> allocate_packed(size_t bytes);

}  // namespace ingot
