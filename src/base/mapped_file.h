// A read-only memory map of a whole file; the source of every zero-copy view of weights.
// Ownership: views into it live as long as the shared_ptr. Thread-safety: const after open.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"

namespace ingot {

class MappedFile {
 public:
  // Errors: kNotFound, kPermissionDenied, kInvalidArgument (a folder or empty file).
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

 private:
  MappedFile(std::string path, const std::byte* data, size_t size) : path_(std::move(path)), data_(data), size_(size) {}
  std::string path_;
  const std::byte* data_;
  size_t size_;
};

// Tells the kernel that these bytes of some MappedFile were copied elsewhere: their whole pages leave our
// resident memory (they are read again from the file if touched). Never for other memory: it would be zeroed.
void drop_mapped_pages(const void* data, size_t bytes);

}  // namespace ingot
