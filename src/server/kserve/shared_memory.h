// The system shared memory extension: regions that clients on this machine register, and tensors inside of them.
//
// A region is a window of a POSIX shared memory object. It is never mapped: bytes are copied with pread and pwrite, so
// an object that shrinks, or a full /dev/shm, is an error of one request and no SIGBUS, and a client that changes its
// bytes while they are used harms only its own answer. What remains: an object that is cut between the check and a
// write grows again, by at most the region. Off unless the owner of the server says so, for who may register may read
// and write any object that the server's user may.
// Ownership: requests share the regions they use; unregistering ends nothing that runs. Thread-safety: all members.
// Limits: kSharedRegionsMax, and the lengths of names and keys.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ingot::kserve {

class SharedRegion {
 public:
  // Errors: kInvalidArgument (key, size), kNotFound (no such object), kPermissionDenied.
  static Result<std::shared_ptr<const SharedRegion>> open(std::string name, std::string key, uint64_t offset,
                                                          uint64_t bytes);
  ~SharedRegion();
  SharedRegion(const SharedRegion&) = delete;
  SharedRegion& operator=(const SharedRegion&) = delete;

  const std::string& name() const { return name_; }
  const std::string& key() const { return key_; }
  uint64_t offset() const { return offset_; }  // of the window in the object
  uint64_t bytes() const { return bytes_; }

  // at: in the window; the caller has checked that it holds so many bytes. Errors: kInvalidArgument (the object is
  // shorter than it was), kUnavailable.
  Result<void> read(uint64_t at, std::span<std::byte> out) const;
  Result<void> write(uint64_t at, std::span<const std::byte> bytes) const;

 private:
  SharedRegion(std::string name, std::string key, uint64_t offset, uint64_t bytes, int fd)
      : name_(std::move(name)), key_(std::move(key)), offset_(offset), bytes_(bytes), fd_(fd) {}
  Result<void> check_size(uint64_t end) const;

  std::string name_, key_;
  uint64_t offset_, bytes_;
  int fd_;
};

// A tensor's place.
struct SharedSlice {
  std::shared_ptr<const SharedRegion> region;
  uint64_t offset = 0, bytes = 0;  // in the region

  Result<std::string> read() const;
  Result<void> write(std::span<const std::byte> data) const;  // at most bytes
};

class SharedRegions {
 public:
  explicit SharedRegions(bool enabled) : enabled_(enabled) {}
  // For requests that may use none.
  static const SharedRegions& none();

  bool enabled() const { return enabled_; }
  // Errors: kUnimplemented (off), kAlreadyExists, kResourceExhausted (too many), those of SharedRegion::open.
  Result<void> add(const std::string& name, const std::string& key, uint64_t offset, uint64_t bytes);
  // "": all of them. A region that is not known is gone already, which is no error.
  Result<void> remove(const std::string& name);
  // "": all of them, by name. Errors: kUnimplemented, kNotFound.
  Result<std::vector<std::shared_ptr<const SharedRegion>>> list(const std::string& name) const;
  // Errors: kUnimplemented, kInvalidArgument (unknown; what does not lie within the region).
  Result<SharedSlice> slice(const std::string& name, uint64_t offset, uint64_t bytes) const;

 private:
  Result<void> check_enabled() const;

  const bool enabled_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const SharedRegion>> regions_;
};

}  // namespace ingot::kserve
