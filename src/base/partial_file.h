// A file that gets its name only when it is whole: written beside its place, synced, then renamed over it.
//
// Not committed, it is removed again. Writers of the same path do not meet: each has a name of its own. A device or a
// pipe is written to as it is.
// Errors carry the tag of whoever writes, the final path and what to do. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/status.h"

namespace ingot {

class PartialFile {
 public:
  // tag: of the messages, as "gguf".
  PartialFile(std::string_view tag, std::string path);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  Result<void> open();
  Result<void> write(std::span<const std::byte> bytes);
  // The file is on the disk under its name.
  Result<void> commit();

 private:
  Result<void> failed() const;
  void start_writing_back(uint64_t bytes);

  std::string tag_, path_, partial_;
  int fd_ = -1;
  uint64_t written_ = 0, started_ = 0;
};

}  // namespace ingot
