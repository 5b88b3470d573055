// Incremental SHA-256 and git blob SHA-1 of a download. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace ingot::hub {

class Checksum {
 public:
  // git_bytes >= 0: the SHA-1 that git gives a blob of this size; else SHA-256.
  explicit Checksum(int64_t git_bytes = -1);
  ~Checksum();
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;

  void add(std::span<const char> bytes);
  std::string hex();  // ends the sum; call it once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ingot::hub
