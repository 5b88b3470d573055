#include "base/partial_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace ingot {
namespace {

std::string name_beside(const std::string& path) {
  static std::atomic<unsigned> files{0};
  return fmt::format("{}.partial-{}-{}", path, ::getpid(), files.fetch_add(1, std::memory_order_relaxed));
}

// A device or a pipe is written to; only what is a file may be replaced as a whole.
bool replaceable(const std::string& path) {
  std::error_code ec;
  const auto kind = std::filesystem::status(path, ec).type();
  return kind == std::filesystem::file_type::not_found || kind == std::filesystem::file_type::regular;
}

}  // namespace

PartialFile::PartialFile(std::string_view tag, std::string path)
    : tag_(tag), path_(std::move(path)), partial_(replaceable(path_) ? name_beside(path_) : "") {}

PartialFile::~PartialFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!partial_.empty()) ::unlink(partial_.c_str());
}

Result<void> PartialFile::open() {
  fd_ = partial_.empty() ? ::open(path_.c_str(), O_WRONLY | O_CLOEXEC)
                         : ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
  return fd_ < 0 ? failed() : Result<void>();
}

Result<void> PartialFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), std::min<size_t>(bytes.size(), 1u << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed();
    bytes = bytes.subspan(static_cast<size_t>(n));
    start_writing_back(static_cast<uint64_t>(n));
  }
  return {};
}

Result<void> PartialFile::commit() {
  if (!partial_.empty()) {
    if (::fsync(fd_) != 0) return failed();
    if (::rename(partial_.c_str(), path_.c_str()) != 0) return failed();
  }
  return ::close(std::exchange(fd_, -1)) == 0 ? Result<void>() : failed();
}

Result<void> PartialFile::failed() const {
  const int e = errno;
  const Code code = code_of_errno(e);
  const auto fix =
      code == Code::kResourceExhausted ? ": free some space or choose another place; no partial file was left" : "";
  return error(code, "[{}] cannot write '{}': {}{}", tag_, path_, std::strerror(e), fix);
}

// Lets the disk work while the next bytes are made, so that the sync at the end has little left.
void PartialFile::start_writing_back(uint64_t bytes) {
  constexpr uint64_t kStep = uint64_t{8} << 20;
  written_ += bytes;
  if (written_ - started_ < kStep) return;
  ::sync_file_range(fd_, static_cast<off64_t>(started_), static_cast<off64_t>(written_ - started_),
                    SYNC_FILE_RANGE_WRITE);
  started_ = written_;
}

}  // namespace ingot
