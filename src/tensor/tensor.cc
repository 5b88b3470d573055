#include "tensor/tensor.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

namespace ingot {
namespace {

constexpr size_t kHuge = size_t{2} << 20;
constexpr size_t kSmall = 4096;  // madvise() takes multiples of any page size that is larger, or fails harmlessly
constexpr size_t kChunkBytes = 8 * kHuge;
constexpr size_t kPieceBytesMax = 2 * kHuge;  // larger ones fill huge pages of their own

std::shared_ptr<void> map_memory(size_t bytes) {
  bytes = bytes ? bytes : 1;
  void* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  return {p, [bytes](void* q) { ::munmap(q, bytes); }};
}

// Cuts pieces from the front of the newest chunk. A piece keeps its chunk mapped and gives its own pages back.
class PackedChunks {
 public:
  std::shared_ptr<void> piece(size_t bytes) {
    bytes = (bytes + 63) / 64 * 64;
    std::lock_guard lock(mutex_);
    if (!chunk_ || used_ + bytes > kChunkBytes) {
      chunk_ = allocate_pages(kChunkBytes);
      used_ = 0;
    }
    if (!chunk_) return nullptr;
    std::byte* p = static_cast<std::byte*>(chunk_.get()) + used_;
    used_ += bytes;
    return {p, [chunk = chunk_, bytes](void* q) { give_back(q, bytes); }};
  }

 private:
  static void give_back(void* piece, size_t bytes) {
    const auto address = reinterpret_cast<uintptr_t>(piece);
    const uintptr_t begin = (address + kSmall - 1) / kSmall * kSmall, end = (address + bytes) / kSmall * kSmall;
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }

  std::mutex mutex_;
  std::shared_ptr<void> chunk_;
  size_t used_ = 0;
};

static_assert(sizeof(Tensor) == 104, "the size of containers' elements in dtypes.def");

}  // namespace

std::shared_ptr<void> allocate_aligned(size_t bytes) {
  const size_t rounded = (bytes + 63) / 64 * 64;
  void* p = std::aligned_alloc(64, rounded ? rounded : 64);
  if (!p) throw std::bad_alloc();
  std::memset(p, 0, rounded);
  return {p, std::free};
}

std::shared_ptr<void> allocate_pages(size_t bytes) {
  auto p = map_memory(bytes);
  if (p && bytes >= kHuge) ::madvise(p.get(), bytes, MADV_HUGEPAGE);
  return p;
}

std::shared_ptr<void> allocate_slow_pages(size_t bytes) {
  auto p = map_memory(bytes);
  if (p && bytes >= 2 * kHuge) ::madvise(static_cast<std::byte*>(p.get()) + kHuge, bytes - kHuge, MADV_HUGEPAGE);
  return p;
}

std::shared_ptr<void> allocate_packed(size_t bytes) {
  static PackedChunks chunks;
  return bytes < kPieceBytesMax ? chunks.piece(bytes) : allocate_pages(bytes);
}

Tensor Tensor::allocate(DType dtype, const Shape& shape) {
  Tensor t;
  t.view_ = {dtype, shape, nullptr};
  if (dtype == DType::kString) {
    const size_t n = static_cast<size_t>(shape.num_elements());
    std::shared_ptr<std::string[]> strings(new std::string[n ? n : 1]);
    t.view_.data = strings.get();
    t.storage_ = std::move(strings);
  } else if (is_container(dtype)) {
    const size_t n = static_cast<size_t>(shape.num_elements());
    std::shared_ptr<Tensor[]> elements(new Tensor[n ? n : 1]);
    t.view_.data = elements.get();
    t.storage_ = std::move(elements);
  } else {
    t.storage_ = allocate_aligned(t.view_.num_bytes());
    t.view_.data = t.storage_.get();
  }
  return t;
}

void copy_elements(const TensorView& from, const TensorRef& to) {
  if (from.dtype == DType::kString)
    std::copy_n(from.as<std::string>(), from.num_elements(), to.as<std::string>());
  else if (is_container(from.dtype))
    std::copy_n(from.as<Tensor>(), from.num_elements(), to.as<Tensor>());
  else if (const size_t bytes = from.num_bytes())
    std::memcpy(to.data, from.data, bytes);
}

Tensor copy_of(const TensorView& view) {
  Tensor out = Tensor::allocate(view.dtype, view.shape);
  copy_elements(view, out.mutable_view());
  return out;
}

}  // namespace ingot
