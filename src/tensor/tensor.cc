#include "tensor/tensor.h"

#include <sys/mman.h>

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
  } else {
    t.storage_ = allocate_aligned(t.view_.num_bytes());
    t.view_.data = t.storage_.get();
  }
  return t;
}

}  // namespace ingot
