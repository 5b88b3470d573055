#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace ingot {
Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string& path) {
  // Opening a pipe that nobody writes would wait forever; a regular file does not care.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return error(code_of_errno(errno), "[file] cannot open '{}': {}", path, std::strerror(errno));
  struct stat st{};
  void* map = MAP_FAILED;
  Result<void> ok;
  if (fstat(fd, &st) != 0) {
    ok = error(code_of_errno(errno), "[file] cannot stat '{}': {}", path, std::strerror(errno));
  } else if (!S_ISREG(st.st_mode)) {
    ok = invalid("[file] '{}' is not a regular file", path);
  } else if (st.st_size == 0) {
    ok = invalid("[file] '{}' is empty", path);
  } else {
    map = ::mmap(nullptr, static_cast<size_t>(st.st_size), PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) ok = error(code_of_errno(errno), "[file] cannot map '{}': {}", path, std::strerror(errno));
  }
  ::close(fd);
  INGOT_TRY(std::move(ok));
  return std::shared_ptr<const MappedFile>(
      new MappedFile(path, static_cast<const std::byte*>(map), static_cast<size_t>(st.st_size)));
}

MappedFile::~MappedFile() { ::munmap(const_cast<std::byte*>(data_), size_); }

void drop_mapped_pages(const void* data, size_t bytes) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<uintptr_t>(data);
  const uintptr_t begin = (address + page - 1) / page * page;
  const uintptr_t end = (address + bytes) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace ingot
