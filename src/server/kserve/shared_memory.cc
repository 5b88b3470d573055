#include "server/kserve/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>

#include "base/limits.h"
#include "formats/printable.h"

namespace ingot::kserve {
namespace {

std::string message_of(int number) { return std::system_category().message(number); }

// "/name" or "name": one component, so that no path leads out of the place of shared memory; and no semaphore, which
// lies there too.
Result<void> check_key(std::string_view key) {
  std::string_view name = key;
  if (name.starts_with('/')) name.remove_prefix(1);
  const bool plain = std::ranges::all_of(name, [](char c) { return c > ' ' && c < 127 && c != '/'; });
  if (name.empty() || name.size() > NAME_MAX || !plain || name.starts_with('.') || name.starts_with("sem."))
    return invalid(
        "[kserve] shared memory key '{}' is not taken: it must be the name of a POSIX shared memory object, 1 to {} "
        "printable characters after an optional '/', without '/', and not begin with '.' or 'sem.'",
        printable(key), NAME_MAX);
  return {};
}

Result<void> check_name(std::string_view name) {
  if (name.empty()) return invalid("[kserve] the name of a shared memory region is empty");
  if (name.size() > limits::kModelNameBytesMax)
    return invalid("[kserve] the name of a shared memory region has {} bytes, at most {} are taken", name.size(),
                   limits::kModelNameBytesMax);
  return {};
}

}  // namespace

Result<std::shared_ptr<const SharedRegion>> SharedRegion::open(std::string name, std::string key, uint64_t offset,
                                                               uint64_t bytes) {
  INGOT_TRY(check_key(key));
  uint64_t end = 0;
  if (bytes == 0) return invalid("[kserve] shared memory region '{}': 'byte_size' is 0", printable(name));
  if (__builtin_add_overflow(offset, bytes, &end) || end > static_cast<uint64_t>(INT64_MAX))
    return invalid("[kserve] shared memory region '{}': offset {} + {} bytes is no size", printable(name), offset,
                   bytes);
  const std::string path = key.starts_with('/') ? key : "/" + key;
  const int fd = ::shm_open(path.c_str(), O_RDWR | O_CLOEXEC, 0);
  if (fd < 0)
    return error(code_of_errno(errno), "[kserve] unable to open shared memory region '{}' with key '{}': {}",
                 printable(name), printable(key), message_of(errno));
  std::shared_ptr<const SharedRegion> region(new SharedRegion(std::move(name), std::move(key), offset, bytes, fd));
  struct stat about{};
  if (::fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
    return invalid("[kserve] shared memory key '{}' is no shared memory object", printable(region->key_));
  INGOT_TRY(region->check_size(end));
  return region;
}

SharedRegion::~SharedRegion() { ::close(fd_); }

Result<void> SharedRegion::check_size(uint64_t end) const {
  struct stat about{};
  if (::fstat(fd_, &about) != 0)
    return error(Code::kUnavailable, "[kserve] shared memory region '{}': {}", printable(name_), message_of(errno));
  if (static_cast<uint64_t>(about.st_size) < end)
    return invalid("[kserve] shared memory region '{}': its object '{}' has {} bytes, {} are needed", printable(name_),
                   printable(key_), about.st_size, end);
  return {};
}

Result<void> SharedRegion::read(uint64_t at, std::span<std::byte> out) const {
  at += offset_;
  INGOT_TRY(check_size(at + out.size()));
  while (!out.empty()) {
    const ssize_t n = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return error(Code::kUnavailable, "[kserve] shared memory region '{}': {}", printable(name_), message_of(errno));
    if (n == 0)
      return invalid("[kserve] shared memory region '{}': its object '{}' shrank while it was read", printable(name_),
                     printable(key_));
    at += static_cast<uint64_t>(n);
    out = out.subspan(static_cast<size_t>(n));
  }
  return {};
}

Result<void> SharedRegion::write(uint64_t at, std::span<const std::byte> bytes) const {
  at += offset_;
  INGOT_TRY(check_size(at + bytes.size()));
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      return error(Code::kUnavailable, "[kserve] shared memory region '{}': {}", printable(name_),
                   n < 0 ? message_of(errno) : "nothing could be written");
    at += static_cast<uint64_t>(n);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

Result<std::string> SharedSlice::read() const {
  std::string out(bytes, '\0');
  INGOT_TRY(region->read(offset, std::as_writable_bytes(std::span(out))));
  return out;
}

Result<void> SharedSlice::write(std::span<const std::byte> data) const { return region->write(offset, data); }

const SharedRegions& SharedRegions::none() {
  static const SharedRegions off(false);
  return off;
}

Result<void> SharedRegions::check_enabled() const {
  if (enabled_) return {};
  return unimplemented(
      "[kserve] system shared memory is off: start the server with --shared-memory, or send the tensors' bytes");
}

Result<void> SharedRegions::add(const std::string& name, const std::string& key, uint64_t offset, uint64_t bytes) {
  INGOT_TRY(check_enabled());
  INGOT_TRY(check_name(name));
  auto region = INGOT_TRY(SharedRegion::open(name, key, offset, bytes));
  const std::lock_guard lock(mutex_);
  if (regions_.contains(name))
    return error(Code::kAlreadyExists, "[kserve] shared memory region '{}' already in manager", printable(name));
  if (regions_.size() >= limits::kSharedRegionsMax)
    return error(Code::kResourceExhausted, "[kserve] {} shared memory regions are registered: unregister some",
                 regions_.size());
  regions_.emplace(name, std::move(region));
  return {};
}

Result<void> SharedRegions::remove(const std::string& name) {
  INGOT_TRY(check_enabled());
  std::map<std::string, std::shared_ptr<const SharedRegion>> gone;  // closed without the lock
  const std::lock_guard lock(mutex_);
  if (name.empty())
    gone.swap(regions_);
  else if (auto node = regions_.extract(name))
    gone.insert(std::move(node));
  return {};
}

Result<std::vector<std::shared_ptr<const SharedRegion>>> SharedRegions::list(const std::string& name) const {
  INGOT_TRY(check_enabled());
  std::vector<std::shared_ptr<const SharedRegion>> found;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, region] : regions_)
    if (name.empty() || key == name) found.push_back(region);
  if (found.empty() && !name.empty())
    return not_found("[kserve] Unable to find system shared memory region: '{}'", printable(name));
  return found;
}

Result<SharedSlice> SharedRegions::slice(const std::string& name, uint64_t offset, uint64_t bytes) const {
  INGOT_TRY(check_enabled());
  const std::lock_guard lock(mutex_);
  const auto found = regions_.find(name);
  if (found == regions_.end()) return invalid("[kserve] Unable to find shared memory region: '{}'", printable(name));
  const SharedRegion& region = *found->second;
  if (offset > region.bytes() || bytes > region.bytes() - offset)
    return invalid("[kserve] Invalid offset + byte size for shared memory region: '{}': {} + {} passes its {} bytes",
                   printable(name), offset, bytes, region.bytes());
  return SharedSlice{found->second, offset, bytes};
}

}  // namespace ingot::kserve
