#include "tensor/tensor.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace ingot {

std::shared_ptr<void> allocate_aligned(size_t bytes) {
  const size_t rounded = (bytes + 63) / 64 * 64;
  void* p = std::aligned_alloc(64, rounded ? rounded : 64);
  if (!p) throw std::bad_alloc();
  std::memset(p, 0, rounded);
  return {p, std::free};
}

std::shared_ptr<void> allocate_pages(size_t bytes) {
  constexpr size_t kHuge = size_t{2} << 20;
  bytes = bytes ? bytes : 1;
  void* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  if (bytes >= kHuge) ::madvise(p, bytes, MADV_HUGEPAGE);
  return {p, [bytes](void* q) { ::munmap(q, bytes); }};
}

Tensor Tensor::allocate(DType dtype, const Shape& shape) {
  Tensor t;
  t.view_ = {dtype, shape, nullptr};
  if (dtype == DType::kString) {
    const size_t n = static_cast<size_t>(shape.num_elements());
    std::shared_ptr<std::string[]> strings(new std::string[n ? n : 1]);
    t.view_.data = strings.get();
    t.storage_ = std::move(strings);
  } else {
    t.storage_ = allocate_aligned(t.view_.num_bytes());
    t.view_.data = t.storage_.get();
  }
  return t;
}

}  // namespace ingot
